// consumer.mjs DOCUMENT BROKER COUNT SECONDS: reads COUNT records of the two results topics and
// says of each, in a line of JSON, what became of it; then what it holds. It knows the engine by
// the document only. Exits with 2 after SECONDS, with 3 if an event is of a newer major version.

import { createHash, randomUUID } from "node:crypto";

import kafkajs from "kafkajs";
import lz4 from "lz4-napi";

import { readContract } from "./contract.mjs";

const CHANNELS = ["items.matched", "media.tagged"];
const STRUCTURED = "application/cloudevents+json";
const DATA = /^data\/[a-z.]+\/([0-9a-f]{64})\.json$/;
const TIMED_OUT = 2;
const NEWER = 3;

const { Kafka, CompressionCodecs, CompressionTypes, logLevel } = kafkajs;
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: (buffer) => lz4.decompressFrame(buffer),
});

class Subscriber {
  #contract;
  #topics;
  #seen = new Set();
  frames = new Map(); // frame id to its newest items
  media = new Map(); // media id to its result of the highest revision

  constructor(contract) {
    this.#contract = contract;
    this.#topics = new Map(CHANNELS.map((channel) => [contract.address(channel), channel]));
  }

  get topics() {
    return [...this.#topics.keys()];
  }

  async receive(topic, record) {
    if (record.value === null) {
      this.media.delete(record.key.toString());
      return { ignored: "tombstone" };
    }
    const event = await this.#open(topic, record);
    if (event.newer || event.wrong.length > 0) {
      return event;
    }
    const { id, data, ...how } = event;
    if (this.#seen.has(id)) {
      return { id, ignored: "repeat" };
    }
    this.#seen.add(id);
    const kept = this.#topics.get(topic) === "items.matched" ? this.#frame(data) : this.#medium(data);
    return { id, ...how, ...kept };
  }

  #frame(data) {
    this.frames.set(data.frame.frame_id, data.items);
    const [first] = data.items;
    return { items: data.items.length, vector: first && vectorOf(first) };
  }

  #medium(data) {
    const held = this.media.get(data.media_id);
    if (held && held.revision >= data.revision) {
      return { ignored: "older" };
    }
    this.media.set(data.media_id, data);
    return { revision: data.revision };
  }

  // Attributes and data of a record in either mode, and what is wrong with them.
  async #open(topic, record) {
    const headers = Object.fromEntries(
      Object.entries(record.headers).map(([name, bytes]) => [name, bytes.toString()]),
    );
    const message = this.#contract.message(topic, headers["content-type"]);
    const structured = headers["content-type"].startsWith(STRUCTURED);
    const envelope = structured ? JSON.parse(record.value) : headers;
    const attribute = (name) => envelope[structured ? name : `ce_${name}`];
    if (attribute("type") !== message.type) {
      return { newer: attribute("type") };
    }

    const reference = attribute("dataref");
    const fetched = reference && (await this.#fetch(reference));
    const data = fetched ?? (structured ? envelope.data : JSON.parse(record.value));
    const { dataref, ...inline } = envelope;
    const wrong = [
      ...message.wrongHeaders(headers),
      ...message.wrongPayload(structured ? { ...inline, data } : data),
    ];
    return { id: attribute("id"), structured, referred: Boolean(reference), wrong, data };
  }

  async #fetch(reference) {
    const named = DATA.exec(reference);
    if (!named) {
      throw new Error(`${reference} is not where data may be`);
    }
    const answer = await fetch(new URL(reference, `${this.#contract.url("objects")}/`));
    if (!answer.ok) {
      throw new Error(`${reference}: ${answer.status} ${answer.statusText}`);
    }
    const body = Buffer.from(await answer.arrayBuffer());
    if (createHash("sha256").update(body).digest("hex") !== named[1]) {
      throw new Error(`${reference} is damaged`);
    }
    return JSON.parse(body);
  }
}

function vectorOf(item) {
  const bytes = Buffer.from(item.vector, "base64");
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
}

function say(line) {
  console.log(JSON.stringify(line));
}

const [path, broker, count, seconds] = process.argv.slice(2);
const { contract } = await readContract(path);
const subscriber = new Subscriber(contract);
const kafka = new Kafka({ brokers: broker.split(","), logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: `subscriber-${randomUUID()}` });

const ended = new Promise((end, fail) => {
  let left = Number(count);
  setTimeout(() => end(TIMED_OUT), Number(seconds) * 1000);
  consumer.on(consumer.events.CRASH, ({ payload }) => fail(payload.error));
  consumer
    .connect()
    .then(() => consumer.subscribe({ topics: subscriber.topics, fromBeginning: true }))
    .then(() =>
      consumer.run({
        eachMessage: async ({ topic, message }) => {
          if (left <= 0) {
            return;
          }
          const outcome = await subscriber.receive(topic, message);
          say({ topic, ...outcome });
          left = outcome.newer ? 0 : left - 1;
          if (left === 0) {
            end(outcome.newer ? NEWER : 0);
          }
        },
      }),
    )
    .catch(fail);
});

const code = await ended;
say({
  frames: Object.fromEntries([...subscriber.frames].map(([id, items]) => [id, items.length])),
  media: Object.fromEntries([...subscriber.media].map(([id, { revision }]) => [id, revision])),
});
await consumer.disconnect();
process.exit(code);
