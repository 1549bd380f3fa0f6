// validate.mjs DOCUMENT [FILE...]: what AsyncAPI's parser finds in the document, and what the
// document finds in events, each a file of {"topic", "headers", "payload"}. JSON on stdout.

import { readFile } from "node:fs/promises";

import { readContract } from "./contract.mjs";

const [path, ...files] = process.argv.slice(2);
const { contract, diagnostics } = await readContract(path);

const wrong = {};
for (const file of files) {
  const { topic, headers, payload } = JSON.parse(await readFile(file, "utf-8"));
  const message = contract.message(contract.address(topic), headers["content-type"]);
  wrong[file] = [...message.wrongHeaders(headers), ...message.wrongPayload(payload)];
}
const found = diagnostics.map(({ code, message, path }) => ({ code, message, path }));
console.log(JSON.stringify({ diagnostics: found, wrong }));
