// Checks named as sentences, and a fetch that keeps what servers answered for validation.
//
// Set by tests/serve_clients.py: MINNOW_URL; MINNOW_RECORD, a file that gets a line of JSON for each answer; MINNOW_KEY.
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";

export { assert };
export const url = process.env.MINNOW_URL;
export const key = process.env.MINNOW_KEY;
export const CHAT = "scripted"; // tests/scripted_model.py: what it says is known
export const RANDOM = "tiny"; // tests/tiny_models.py: what it says is noise, with a seed always the same
const SECONDS = 60; // of one check: a server of a sanitizer build on a busy machine

let passed = 0;
let failed = 0;
const recording = [];

export async function check(sentence, body) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`no end after ${SECONDS} s`)), SECONDS * 1000)));
  try {
    await Promise.race([body(), late]);
    passed++;
  } catch (error) {
    failed++;
    console.log(`FAILED ${sentence}: ${String(error?.message ?? error).slice(0, 600)}`);
  } finally {
    clearTimeout(timer);
  }
}

export async function finish() {
  await Promise.allSettled(recording);
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

export async function recordedFetch(input, init) {
  const response = await fetch(input, init);
  const { pathname } = new URL(typeof input === "string" ? input : (input.url ?? input.href));
  const entry = { method: init?.method ?? input.method ?? "GET", path: pathname, status: response.status, type: response.headers.get("content-type") ?? "" };
  const anthropic = new Headers(init?.headers ?? input.headers).has("anthropic-version"); // answered in its form on paths of OpenAI's as well
  if (process.env.MINNOW_RECORD && response.body && !anthropic) {
    const text = response.clone().text();
    recording.push(text.then((body) => appendFileSync(process.env.MINNOW_RECORD, JSON.stringify({ ...entry, body }) + "\n"), () => {})); // it was aborted
  }
  return response;
}

// A request without any library.
export async function plain(path, { method = "GET", body } = {}) {
  const headers = { "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}) };
  return recordedFetch(url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
}

export async function fails(promise, { status, says }) {
  let error;
  try {
    await promise;
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, "it was not refused");
  const code = error.status ?? error.status_code ?? error.statusCode;
  if (status !== undefined) assert.equal(code, status, `status ${code}: ${error.message}`);
  for (const word of [says ?? []].flat()) assert.match(String(error.message) + String(error.responseBody ?? ""), word);
  return error;
}

// What the engine does, from the metrics.
export async function gauge(name, model) {
  const text = await (await plain("/metrics")).text();
  const line = text.split("\n").find((l) => l.startsWith(`${name}{`) && l.includes(`model_name="${model}"`));
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
}

// Nothing is generated any more: an aborted answer must not run on.
export async function idle(model) {
  for (let i = 0; i < 200; i++) {
    const [running, waiting] = [await gauge("vllm:num_requests_running", model), await gauge("vllm:num_requests_waiting", model)];
    if (running === 0 && waiting === 0) return; // undefined: there is no such metric
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${model} still generates 10 s after everybody left`);
}

export const WEATHER = {
  description: "The weather in a city",
  parameters: { type: "object", properties: { city: { type: "string", enum: ["Paris", "London"] } }, required: ["city"], additionalProperties: false },
};
export const TIME = {
  description: "The time of day",
  parameters: { type: "object", properties: { zone: { enum: ["UTC", "CET"] }, seconds: { type: "boolean" } }, required: ["zone", "seconds"], additionalProperties: false },
};
export const PERSON = {
  type: "object",
  properties: { name: { enum: ["Ada", "Bob"] }, age: { type: "integer", minimum: 1, maximum: 99 }, tags: { type: "array", items: { enum: ["a", "b"] }, maxItems: 2 } },
  required: ["name", "age", "tags"],
  additionalProperties: false,
};
export function assertPerson(value) {
  assert.deepEqual(Object.keys(value).sort(), ["age", "name", "tags"]);
  assert.ok(["Ada", "Bob"].includes(value.name) && Number.isInteger(value.age) && value.age >= 1 && value.age <= 99, JSON.stringify(value));
  assert.ok(value.tags.length <= 2 && value.tags.every((t) => ["a", "b"].includes(t)), JSON.stringify(value));
}
