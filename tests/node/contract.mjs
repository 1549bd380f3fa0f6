// What the AsyncAPI document says, as functions. Nothing is known here of the engine but that.

import { readFile } from "node:fs/promises";

import { Parser } from "@asyncapi/parser";
import Ajv from "ajv";
import addFormats from "ajv-formats";

export async function readContract(path) {
  const { document, diagnostics } = await new Parser().parse(await readFile(path, "utf-8"));
  if (document === undefined) {
    throw new Error(`${path} is no AsyncAPI document: ${JSON.stringify(diagnostics)}`);
  }
  return { contract: new Contract(document), diagnostics };
}

class Contract {
  #document;
  #ajv = addFormats(new Ajv({ strict: false, allErrors: true }));

  constructor(document) {
    this.#document = document;
  }

  // The Kafka topic of a channel.
  address(channel) {
    return this.#document.channels().get(channel).address();
  }

  // URL of a server, its variables at their defaults.
  url(name) {
    const server = this.#document.servers().get(name);
    const url = `${server.protocol()}://${server.host()}${server.pathname() ?? ""}`;
    return server
      .variables()
      .all()
      .reduce((filled, each) => filled.replace(`{${each.id()}}`, each.defaultValue()), url);
  }

  // The message of a topic that has the record's media type: its `type`, and what is wrong with
  // given headers or a given payload, as a list of sentences.
  message(address, mediaType) {
    const essence = mediaType?.split(";")[0].trim();
    const channel = this.#document.channels().all().find((each) => each.address() === address);
    const message = channel?.messages().all().find((each) => each.contentType() === essence);
    if (message === undefined) {
      throw new Error(`the contract has no message of media type ${mediaType} on ${address}`);
    }
    return {
      type: message.name(),
      wrongHeaders: (headers) => this.#wrong(message.headers().json(), headers),
      wrongPayload: (payload) => this.#wrong(message.payload().json(), payload),
    };
  }

  #wrong(schema, value) {
    const validate = this.#ajv.compile(schema); // which remembers by schema
    validate(value);
    return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`.trim());
  }
}
