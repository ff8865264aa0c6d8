// npm's ollama.
import { Ollama } from "ollama";
import { CHAT, PERSON, RANDOM, TIME, WEATHER, assert, assertPerson, check, fails, finish, idle, key, plain, recordedFetch, url } from "./check.mjs";

const headers = key ? { Authorization: `Bearer ${key}` } : {};
const client = new Ollama({ host: url, fetch: recordedFetch, headers });
const says = (content) => [{ role: "user", content }];
// Ollama thinks unless it is told not to, when the model can.
const ask = (content, more = {}) => client.chat({ model: CHAT, messages: says(content), think: false, ...more });
const tool = (name, { description, parameters }) => ({ type: "function", function: { name, description, parameters } });
const tools = [tool("get_weather", WEATHER), tool("get_time", TIME)];
const collect = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
};
const METRICS = ["total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"];

await check("a chat is answered as a whole", async () => {
  const answer = await ask("hi");
  assert.equal(answer.message.role, "assistant");
  assert.equal(answer.message.content, "Hello, world!");
  assert.equal(answer.done, true);
  assert.equal(answer.done_reason, "stop");
  assert.equal(answer.model, CHAT);
  for (const field of METRICS) assert.ok(Number.isInteger(answer[field]) && answer[field] >= 0, field);
  assert.ok(Math.abs(Date.parse(answer.created_at) - Date.now()) < 3600e3, answer.created_at);
});

await check("a stream has its text in pieces, and done once, in the last one", async () => {
  const parts = await collect(await ask("hi", { stream: true }));
  assert.equal(parts.map((p) => p.message.content).join(""), "Hello, world!");
  assert.deepEqual(parts.map((p) => p.done), [...parts.slice(1).map(() => false), true]);
  assert.equal(parts.at(-1).message.content, "");
  for (const field of METRICS) assert.ok(Number.isInteger(parts.at(-1)[field]), field);
  assert.ok(parts.slice(0, -1).every((p) => p.eval_count === undefined && p.done_reason === undefined));
});

await check("streaming is what happens when a request does not say", async () => {
  const answer = await plain("/api/chat", { method: "POST", body: { model: CHAT, messages: says("hi") } });
  assert.match(answer.headers.get("content-type"), /^application\/x-ndjson/);
  const lines = (await answer.text()).split("\n");
  assert.equal(lines.pop(), "");
  assert.ok(lines.length > 1 && lines.every((line) => JSON.parse(line)));
});

await check("a call's arguments are an object", async () => {
  const answer = await ask("weather?", { tools });
  assert.equal(answer.message.tool_calls.length, 1);
  assert.deepEqual(answer.message.tool_calls[0].function.arguments, { city: "Paris" });
  assert.equal(answer.message.tool_calls[0].function.name, "get_weather");
  assert.equal(answer.done_reason, "stop");
  const streamed = (await collect(await ask("both please", { tools, stream: true }))).flatMap((p) => p.message.tool_calls ?? []);
  assert.deepEqual(streamed.map((c) => c.function.arguments.city), ["Paris", "London"]);
});

await check("a tool's result is read", async () => {
  const first = await ask("weather?", { tools });
  const answer = await client.chat({ model: CHAT, tools, messages: [...says("weather?"), first.message, { role: "tool", tool_name: "get_weather", content: "sunny" }] });
  assert.equal(answer.message.content, "It is sunny in Paris.");
});

await check("tools are refused for a model that cannot call them", async () => {
  await fails(client.chat({ model: "minnow-tiny", messages: says("x"), tools }), { status: 400, says: /does not support (tools|chat)/ });
});

await check("format holds an answer to a schema, in chat and generate", async () => {
  for (let seed = 0; seed < 5; seed++) {
    const options = { seed, temperature: 1, num_predict: 400 };
    assertPerson(JSON.parse((await client.chat({ model: RANDOM, messages: says("a"), format: PERSON, options })).message.content));
    assertPerson(JSON.parse((await client.generate({ model: RANDOM, prompt: "a", format: PERSON, options })).response));
  }
  await fails(ask("a", { format: { type: "object", properties: { a: { not: {} } } } }), { status: 400, says: /not/ });
  await fails(ask("a", { format: "yaml" }), { status: 400, says: /format/ });
});

await check("think tells reasoning apart from the answer", async () => {
  const answer = await ask("hi", { think: true });
  assert.equal(answer.message.content.trim(), "Hello there.");
  assert.equal(answer.message.thinking.trim(), "The user greets me.");
  const parts = await collect(await ask("hi", { think: true, stream: true }));
  assert.equal(parts.map((p) => p.message.thinking ?? "").join("").trim(), "The user greets me.");
  assert.equal((await ask("hi", { think: undefined })).message.thinking.trim(), "The user greets me.", "and is what happens when a request does not say");
  await fails(client.chat({ model: RANDOM, messages: says("x"), think: true }), { status: 400, says: /does not support thinking/ });
});

await check("a text is generated from a prompt, streamed too", async () => {
  const whole = await client.generate({ model: CHAT, prompt: "hi", think: false });
  assert.equal(whole.response, "Hello, world!");
  assert.equal(whole.done_reason, "stop");
  const parts = await collect(await client.generate({ model: CHAT, prompt: "hi", think: false, stream: true }));
  assert.equal(parts.map((p) => p.response).join(""), "Hello, world!");
  assert.equal(parts.filter((p) => p.done).length, 1);
});

await check("raw prompts get no template", async () => {
  const options = { temperature: 0, num_predict: 6, seed: 1 };
  const raw = await client.generate({ model: RANDOM, prompt: "abc", raw: true, options });
  const plainAnswer = await (await plain("/v1/completions", { method: "POST", body: { model: RANDOM, prompt: "abc", max_tokens: 6, temperature: 0 } })).json();
  assert.equal(raw.response, plainAnswer.choices[0].text);
  assert.equal(raw.context, undefined);
  await fails(client.generate({ model: RANDOM, prompt: "abc", raw: true, system: "s" }), { status: 400, says: /raw/ });
});

await check("an empty prompt loads a model, keep_alive 0 takes it out of memory", async () => {
  const loaded = await client.generate({ model: RANDOM, prompt: "", keep_alive: "10m" });
  assert.equal(loaded.done_reason, "load");
  const running = (await client.ps()).models.find((m) => m.name.startsWith(RANDOM));
  assert.ok(running && running.size > 0 && Date.parse(running.expires_at) > Date.now() + 8 * 60e3, JSON.stringify(running));
  const gone = await client.generate({ model: RANDOM, prompt: "", keep_alive: 0 });
  assert.equal(gone.done_reason, "unload");
  assert.ok(!(await client.ps()).models.some((m) => m.name.startsWith(RANDOM)));
  const empty = await client.chat({ model: RANDOM, messages: [], keep_alive: -1 });
  assert.equal(empty.done_reason, "load");
  assert.ok((await client.ps()).models.some((m) => m.name.startsWith(RANDOM) && Date.parse(m.expires_at) > Date.now() + 10 * 365 * 86400e3));
});

await check("options are held to", async () => {
  const short = await ask("hi", { options: { num_predict: 2 } });
  assert.equal(short.done_reason, "length");
  assert.equal(short.eval_count, 2);
  assert.equal((await ask("hi", { options: { stop: ["world"] } })).message.content, "Hello, ");
  const text = async (seed) => (await client.generate({ model: RANDOM, prompt: "a", options: { seed, temperature: 1.5, num_predict: 12 } })).response;
  assert.equal(await text(7), await text(7));
  assert.notEqual(await text(7), await text(8));
  await fails(ask("hi", { options: { temperature: "hot" } }), { status: 400, says: /temperature/ });
});

await check("logprobs tell of every token", async () => {
  const answer = await ask("hi", { logprobs: true, top_logprobs: 2 });
  assert.equal(answer.logprobs.map((t) => t.token).join(""), "Hello, world!");
  assert.ok(answer.logprobs.every((t) => t.logprob <= 0 && t.top_logprobs.length === 2));
  await fails(ask("hi", { logprobs: true, top_logprobs: 21 }), { status: 400, says: /top_logprobs/ });
});

await check("models are listed, shown and known by their tag", async () => {
  const models = (await client.list()).models;
  const one = models.find((m) => m.name.startsWith(CHAT));
  assert.ok(one && one.size > 1000 && /^[0-9a-f]{64}$/.test(one.digest) && one.details.format === "gguf", JSON.stringify(one));
  assert.equal((await client.chat({ model: one.name, messages: says("hi"), think: false })).message.content, "Hello, world!");
  const shown = await client.show({ model: CHAT });
  assert.equal(shown.model_info["general.architecture"], "llama");
  for (const capability of ["completion", "tools", "thinking"]) assert.ok(shown.capabilities.includes(capability), `${capability} of ${shown.capabilities}`);
  assert.ok(shown.template.length > 10 && shown.details.family === "llama");
  await fails(client.show({ model: "nowhere" }), { status: 404, says: /nowhere/ });
  assert.match((await client.version()).version, /^\d+\.\d+\.\d+/);
});

await check("texts become vectors, in the new form and the old one", async () => {
  const two = await client.embed({ model: RANDOM, input: ["abc", "the cat"] });
  assert.equal(two.embeddings.length, 2);
  for (const v of two.embeddings) assert.ok(Math.abs(Math.hypot(...v) - 1) < 1e-3);
  assert.ok(two.prompt_eval_count > 0);
  assert.deepEqual((await client.embed({ model: RANDOM, input: [] })).embeddings, []);
  const old = await client.embeddings({ model: RANDOM, prompt: "abc" });
  assert.equal(old.embedding.length, 32);
  await fails(client.embed({ model: RANDOM, input: "the ".repeat(9000), truncate: false }), { status: 400, says: /context/ });
});

await check("a prompt that does not fit is refused when it may not be cut", async () => {
  await fails(ask("x ".repeat(5000), { truncate: false }), { status: 400, says: /context|tokens|long/ });
});

await check("unknown models and wrong requests are refused", async () => {
  await fails(client.chat({ model: "nowhere", messages: says("x") }), { status: 404, says: /nowhere/ });
  await fails(client.chat({ messages: says("x") }), { status: 400, says: /model/ });
  await fails(client.chat({ model: CHAT, messages: "x" }), { status: 400, says: /messages/ });
  await fails(ask("x", { keep_alive: {} }), { status: 400, says: /keep_alive/ });
});

await check("what the server does not do is refused in words", async () => {
  await fails(client.pull({ model: "nowhere", stream: false }), { says: /./ });
  await fails(client.copy({ source: "nowhere", destination: "x" }), { says: /./ });
  await fails(client.delete({ model: "nowhere" }), { says: /./ });
});

await check("liveness answers to HEAD and GET", async () => {
  for (const path of ["/", "/api/version", "/api/tags"]) {
    const answer = await plain(path, { method: "HEAD" });
    assert.equal(answer.status, 200, path);
    assert.equal(await answer.text(), "");
  }
  assert.equal(await (await plain("/")).text(), "Ollama is running");
});

await check("a stream that is left ends in the engine as well", async () => {
  const stream = await ask("sing", { stream: true });
  const left = (async () => {
    let n = 0;
    for await (const part of stream) {
      assert.equal(part.done, false);
      if (++n === 5) stream.abort();
    }
  })();
  await left.catch((error) => assert.equal(error.name, "AbortError"));
  await idle(CHAT);
});

await finish();
