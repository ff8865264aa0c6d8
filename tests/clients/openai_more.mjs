// npm's openai: completions, embeddings, models, responses.
import OpenAI, { toFile } from "openai";
import { CHAT, PERSON, RANDOM, WEATHER, assert, assertPerson, check, fails, finish, idle, key, plain, recordedFetch, url } from "./check.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key ?? "none", fetch: recordedFetch, maxRetries: 0 });
const complete = (prompt, more = {}) => client.completions.create({ model: RANDOM, prompt, max_tokens: 8, seed: 3, temperature: 0, ...more });
const collect = async (stream) => {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
};

// ---- models

await check("the models are listed and found by name", async () => {
  const ids = (await client.models.list()).data.map((m) => m.id);
  for (const model of [CHAT, RANDOM]) assert.ok(ids.includes(model), `${model} of ${ids}`);
  const one = await client.models.retrieve(CHAT);
  assert.equal(one.id, CHAT);
  assert.equal(one.object, "model");
  await fails(client.models.retrieve("nowhere"), { status: 404, says: /nowhere/ });
});

// ---- completions

await check("a text is gone on from, streamed too", async () => {
  const answer = await complete("abc");
  assert.equal(answer.object, "text_completion");
  assert.ok(["stop", "length"].includes(answer.choices[0].finish_reason));
  const chunks = await collect(await complete("abc", { stream: true }));
  assert.equal(chunks.map((c) => c.choices[0]?.text ?? "").join(""), answer.choices[0].text);
});

await check("several prompts, and n, give choices in order", async () => {
  const answer = await complete(["abc", "the cat"], { n: 2 });
  assert.deepEqual(answer.choices.map((c) => c.index), [0, 1, 2, 3]);
  assert.equal(answer.choices[0].text, (await complete("abc")).choices[0].text);
  assert.equal(answer.choices[2].text, (await complete("the cat")).choices[0].text);
});

await check("token ids are a prompt", async () => {
  const { tokens } = await (await plain("/tokenize", { method: "POST", body: { model: RANDOM, content: "abc", add_special: true } })).json();
  assert.equal((await complete(tokens)).choices[0].text, (await complete("abc")).choices[0].text);
  await fails(complete([1, 99999999]), { status: 400, says: /token|prompt/ });
});

await check("echo repeats the prompt, logprobs tell of every token", async () => {
  const answer = await complete("abc", { echo: true, logprobs: 2 });
  assert.ok(answer.choices[0].text.startsWith("abc"), answer.choices[0].text);
  const { tokens, token_logprobs, top_logprobs, text_offset } = answer.choices[0].logprobs;
  assert.equal(tokens.length, token_logprobs.length);
  assert.equal(tokens.length, top_logprobs.length);
  assert.equal(tokens.length, text_offset.length);
  assert.ok(token_logprobs.slice(1).every((l) => l <= 0));
});

await check("stop and max_tokens hold for completions", async () => {
  const free = (await complete("abc", { max_tokens: 5, ignore_eos: true })).choices[0];
  assert.equal(free.finish_reason, "length");
  await fails(complete("abc", { max_tokens: -5 }), { status: 400, says: /max_tokens/ });
});

await check("suffix is refused for a model that cannot fill in", async () => {
  await fails(complete("abc", { suffix: "def" }), { status: 400, says: /suffix|insert|fill/i });
});

// ---- embeddings

await check("texts become vectors of length one", async () => {
  const answer = await client.embeddings.create({ model: RANDOM, input: ["abc", "the cat", "abc"] });
  assert.deepEqual(answer.data.map((d) => d.index), [0, 1, 2]);
  for (const { embedding } of answer.data) {
    assert.equal(embedding.length, 32);
    assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-3);
  }
  assert.deepEqual(answer.data[0].embedding, answer.data[2].embedding);
  assert.notDeepEqual(answer.data[0].embedding, answer.data[1].embedding);
  assert.ok(answer.usage.prompt_tokens >= 3);
});

await check("as numbers and as base64 they are the same", async () => {
  const of = async (encoding_format) => (await client.embeddings.create({ model: RANDOM, input: "abc", encoding_format })).data[0].embedding;
  const numbers = await of("float");
  const bytes = Buffer.from(await of("base64"), "base64");
  assert.equal(bytes.length, 4 * numbers.length);
  numbers.forEach((x, i) => assert.ok(Math.abs(x - bytes.readFloatLE(4 * i)) < 1e-6));
});

await check("dimensions cuts vectors and makes them of length one again", async () => {
  const { embedding } = (await client.embeddings.create({ model: RANDOM, input: "abc", dimensions: 8, encoding_format: "float" })).data[0];
  assert.equal(embedding.length, 8);
  assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-3);
});

await check("what cannot be embedded is refused", async () => {
  await fails(client.embeddings.create({ model: RANDOM, input: "x", encoding_format: "int8" }), { status: 400, says: /encoding_format/ });
  await fails(client.embeddings.create({ model: RANDOM, input: [] }), { status: 400, says: /input/ });
  await fails(client.embeddings.create({ model: RANDOM, input: [{}] }), { status: 400, says: /input/ });
  await fails(client.embeddings.create({ model: RANDOM, input: "the ".repeat(9000) }), { status: 400, says: /context|tokens|long/ });
});

// ---- responses

const respond = (input, more = {}) => client.responses.create({ model: CHAT, input, ...more });
const weather = { type: "function", name: "get_weather", strict: false, ...WEATHER };

await check("a response has its text as output_text", async () => {
  const answer = await respond("hi");
  assert.equal(answer.object, "response");
  assert.equal(answer.status, "completed");
  assert.equal(answer.output_text, "Hello, world!");
  assert.equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
});

await check("events of a response are numbered, and all that is opened is closed", async () => {
  const events = await collect(await respond("hi", { stream: true }));
  assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
  assert.equal(events[0].type, "response.created");
  assert.equal(events.at(-1).type, "response.completed");
  const count = (type) => events.filter((e) => e.type === type).length;
  assert.equal(count("response.output_item.added"), count("response.output_item.done"));
  assert.equal(count("response.content_part.added"), count("response.content_part.done"));
  assert.equal(events.filter((e) => e.type === "response.output_text.delta").map((e) => e.delta).join(""), "Hello, world!");
  assert.equal(events.at(-1).response.output[0].content[0].text, "Hello, world!");
});

await check("the library puts a streamed response together", async () => {
  const final = await client.responses.stream({ model: CHAT, input: "hi" }).finalResponse();
  assert.equal(final.output_text, "Hello, world!");
});

await check("an answer that was cut is incomplete, with the reason", async () => {
  const answer = await respond("hi", { max_output_tokens: 2 });
  assert.equal(answer.status, "incomplete");
  assert.equal(answer.incomplete_details.reason, "max_output_tokens");
  const events = await collect(await respond("hi", { max_output_tokens: 2, stream: true }));
  assert.equal(events.at(-1).type, "response.incomplete");
});

await check("a stored response is found, gone on from, and deleted", async () => {
  const first = await respond("hi", { store: true });
  assert.equal((await client.responses.retrieve(first.id)).output_text ?? (await client.responses.retrieve(first.id)).output[0].content[0].text, "Hello, world!");
  const next = await respond("again", { previous_response_id: first.id });
  assert.equal(next.previous_response_id, first.id);
  assert.ok(next.usage.input_tokens > first.usage.input_tokens, "the chat before is part of the prompt");
  const items = (await client.responses.inputItems.list(first.id)).data;
  assert.deepEqual(items.map((item) => [item.type, item.role, item.content[0].text]), [["message", "user", "hi"]]);
  await client.responses.delete(first.id);
  await fails(client.responses.retrieve(first.id), { status: 404 });
  await fails(respond("again", { previous_response_id: first.id }), { status: 404 });
});

await check("the tokens of a response can be counted before", async () => {
  const counted = await client.responses.inputTokens.count({ model: CHAT, input: "hi" });
  assert.equal(counted.object, "response.input_tokens");
  assert.equal(counted.input_tokens, (await respond("hi")).usage.input_tokens);
});

await check("store false keeps nothing", async () => {
  const answer = await respond("hi", { store: false });
  await fails(client.responses.retrieve(answer.id), { status: 404 });
});

await check("a response calls a tool and reads its result", async () => {
  const first = await respond("weather?", { tools: [weather] });
  const call = first.output.find((item) => item.type === "function_call");
  assert.equal(call.name, "get_weather");
  assert.deepEqual(JSON.parse(call.arguments), { city: "Paris" });
  const next = await respond([{ role: "user", content: "weather?" }, call, { type: "function_call_output", call_id: call.call_id, output: "sunny" }], { tools: [weather] });
  assert.equal(next.output_text, "It is sunny in Paris.");
  const events = await collect(await respond("weather?", { tools: [weather], stream: true }));
  assert.deepEqual(JSON.parse(events.filter((e) => e.type === "response.function_call_arguments.delta").map((e) => e.delta).join("")), { city: "Paris" });
});

await check("calls of a strict tool are as its schema has them, whatever the model would say", async () => {
  const { output } = await respond("weather?", { tools: [{ ...weather, strict: true }], max_output_tokens: 400 });
  const calls = output.filter((item) => item.type === "function_call" && item.status === "completed");
  assert.ok(calls.length > 0);
  for (const { name, arguments: text } of calls) {
    assert.equal(name, "get_weather");
    assert.deepEqual(Object.keys(JSON.parse(text)), ["city"]);
    assert.ok(["Paris", "London"].includes(JSON.parse(text).city));
  }
});

await check("tools that are built in are left out, those of a namespace are called by it, and allowed_tools is held to", async () => {
  const tool = (name) => ({ type: "function", name, parameters: { type: "object", properties: {}, additionalProperties: false } });
  const tools = [tool("now"), { type: "namespace", name: "mcp__sky", description: "d", tools: [tool("now")] }, { type: "web_search" }];
  const choose = (tool_choice) => client.responses.create({ model: RANDOM, input: "a", max_output_tokens: 400, parallel_tool_calls: false, tools, tool_choice }).withResponse();
  const { data, response } = await choose({ type: "function", namespace: "mcp__sky", name: "now" });
  const call = data.output.find((item) => item.type === "function_call");
  assert.deepEqual([call.namespace, call.name], ["mcp__sky", "now"]);
  assert.equal(response.headers.get("minnow-unused-options"), "tools.web_search");
  const allowed = (await choose({ type: "allowed_tools", mode: "required", tools: [{ type: "function", name: "now" }] })).data;
  const only = allowed.output.find((item) => item.type === "function_call");
  assert.deepEqual([only.namespace, only.name], [undefined, "now"]);
  await fails(client.responses.create({ model: CHAT, input: "a", tools, tool_choice: "required" }), { status: 400, says: /built-in/ });
});

await check("custom tools are called with a text, and their outputs read", async () => {
  const patch = { type: "custom", name: "apply_patch", description: "edits", format: { type: "grammar", syntax: "lark", definition: "start: /.+/" } };
  const quote = (await (await plain("/tokenize", { method: "POST", body: { model: RANDOM, content: '"' } })).json()).tokens.at(-1);
  const logit_bias = { [quote]: 100 }; // or it might write a text for ever
  const more = { model: RANDOM, max_output_tokens: 400, logit_bias, tools: [patch], tool_choice: { type: "custom", name: "apply_patch" } };
  const { data, response } = await client.responses.create({ ...more, input: "a" }).withResponse();
  assert.equal(response.headers.get("minnow-unused-options"), "tools.apply_patch.format");
  const call = data.output.find((item) => item.type === "custom_tool_call");
  assert.equal(call.name, "apply_patch");
  assert.equal(typeof call.input, "string");
  const events = await collect(await client.responses.create({ ...more, input: "a", stream: true }));
  assert.equal(events.find((e) => e.type === "response.custom_tool_call_input.done").input, events.at(-1).response.output.at(-1).input);
  const input = [{ role: "user", content: "a" }, call, { type: "custom_tool_call_output", call_id: call.call_id, output: "done" }];
  await client.responses.create({ ...more, input, tool_choice: "none", max_output_tokens: 4 });
  const tools = [{ type: "custom", custom: { name: "say" } }];
  const chat = await client.chat.completions.create({ model: RANDOM, messages: [{ role: "user", content: "a" }], max_tokens: 400, logit_bias, tools, tool_choice: { type: "custom", custom: { name: "say" } } });
  const [said] = chat.choices[0].message.tool_calls;
  assert.equal(said.type, "custom");
  assert.equal(said.custom.name, "say");
});

await check("text.format holds a response to a schema", async () => {
  const answer = await client.responses.create({ model: RANDOM, input: "a", max_output_tokens: 400, text: { format: { type: "json_schema", name: "person", schema: PERSON, strict: true } } });
  assert.equal(answer.status, "completed");
  assertPerson(JSON.parse(answer.output_text));
});

await check("reasoning is an item of its own", async () => {
  const answer = await respond("hi", { reasoning: { effort: "low" } });
  assert.deepEqual(answer.output.map((item) => item.type), ["reasoning", "message"]);
  assert.equal(answer.output_text.trim(), "Hello there.");
});

await check("wrong responses are refused", async () => {
  await fails(respond("hi", { temperature: "hot" }), { status: 400, says: /temperature/ });
  await fails(respond([{ type: "nonsense" }]), { status: 400, says: /input/ });
  await fails(respond("hi", { max_output_tokens: 0 }), { status: 400, says: /max_output_tokens/ });
});

await check("a streamed response that is left ends in the engine as well", async () => {
  const stream = await respond("sing", { stream: true });
  let n = 0;
  for await (const _ of stream) if (++n === 8) break;
  stream.controller.abort();
  await idle(CHAT);
});

// ---- the rest

await check("what is not offered is refused with an error that the library understands", async () => {
  await fails(client.audio.transcriptions.create({ model: CHAT, file: await toFile(Buffer.from("x"), "x.wav") }), { says: /./ });
  await fails(client.get("/nowhere"), { status: 404 });
});

await check("documents are ranked in the shape that clients of rerankers read", async () => {
  const answer = await plain("/v1/rerank", { method: "POST", body: { model: RANDOM, query: "a", documents: ["b"] } });
  const body = await answer.json();
  assert.ok(answer.status === 200 ? body.results[0].index === 0 : body.error.message, JSON.stringify(body));
});

await finish();
