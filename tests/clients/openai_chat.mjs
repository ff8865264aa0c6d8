// npm's openai: chat completions.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { CHAT, PERSON, RANDOM, TIME, WEATHER, assert, assertPerson, check, fails, finish, idle, key, recordedFetch, url } from "./check.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key ?? "none", fetch: recordedFetch, maxRetries: 0 });
const says = (content) => [{ role: "user", content }];
const ask = (content, more = {}) => client.chat.completions.create({ model: CHAT, messages: says(content), ...more });
const tool = (name, { description, parameters }) => ({ type: "function", function: { name, description, parameters } });
const tools = [tool("get_weather", WEATHER), tool("get_time", TIME)];
const noise = (more = {}) => client.chat.completions.create({ model: RANDOM, messages: says("a"), max_tokens: 12, seed: 5, ...more });
const collect = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};
const textOf = (chunks, index = 0) => chunks.flatMap((c) => c.choices.filter((x) => x.index === index)).map((x) => x.delta.content ?? "").join("");

await check("a chat is answered as a whole", async () => {
  const answer = await ask("hi");
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.model, CHAT);
  assert.equal(answer.choices.length, 1);
  assert.equal(answer.choices[0].message.role, "assistant");
  assert.equal(answer.choices[0].message.content, "Hello, world!");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.ok(answer.usage.prompt_tokens > 3 && answer.usage.completion_tokens >= 4);
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

await check("a stream has one id, one role, a last chunk with the reason, and the usage after it", async () => {
  const chunks = await collect(await ask("hi", { stream: true, stream_options: { include_usage: true } }));
  assert.equal(new Set(chunks.map((c) => c.id)).size, 1);
  assert.equal(new Set(chunks.map((c) => c.created)).size, 1);
  assert.equal(chunks.filter((c) => c.choices[0]?.delta.role).length, 1);
  assert.equal(chunks[0].choices[0].delta.role, "assistant");
  assert.equal(textOf(chunks), "Hello, world!");
  const ends = chunks.filter((c) => c.choices[0]?.finish_reason);
  assert.equal(ends.length, 1);
  assert.equal(ends[0].choices[0].finish_reason, "stop");
  assert.ok(!ends[0].choices[0].delta.content, "the last chunk holds no text");
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal(chunks.at(-1).usage.completion_tokens, (await ask("hi")).usage.completion_tokens);
});

await check("without stream_options no chunk has a usage", async () => {
  const chunks = await collect(await ask("hi", { stream: true }));
  assert.ok(chunks.every((c) => !c.usage && c.choices.length === 1));
});

await check("two answers never share an id", async () => {
  const ids = await Promise.all(Array.from({ length: 8 }, () => ask("hi").then((a) => a.id)));
  assert.equal(new Set(ids).size, 8);
});

await check("with tool_choice auto the model decides to call a tool", async () => {
  const { message, finish_reason } = (await ask("weather?", { tools })).choices[0];
  assert.equal(finish_reason, "tool_calls");
  assert.equal(message.tool_calls.length, 1);
  assert.equal(message.tool_calls[0].type, "function");
  assert.equal(message.tool_calls[0].function.name, "get_weather");
  assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { city: "Paris" });
  assert.ok(message.tool_calls[0].id);
  assert.ok(!message.content, `no call is content: ${message.content}`);
});

await check("a streamed call comes as its name and then as pieces of its arguments", async () => {
  const chunks = await collect(await ask("weather?", { tools, stream: true }));
  const deltas = chunks.flatMap((c) => c.choices[0]?.delta.tool_calls ?? []);
  assert.equal(deltas.filter((d) => d.function?.name).length, 1);
  assert.equal(deltas[0].function.name, "get_weather");
  assert.ok(deltas[0].id && deltas.slice(1).every((d) => !d.id && d.index === 0));
  assert.deepEqual(JSON.parse(deltas.map((d) => d.function?.arguments ?? "").join("")), { city: "Paris" });
  assert.ok(deltas.length >= 2, "the name comes before the arguments");
  assert.equal(chunks.at(-1).choices[0].finish_reason, "tool_calls");
});

await check("two calls of one answer have two ids and indexes", async () => {
  const calls = (await ask("both please", { tools })).choices[0].message.tool_calls;
  assert.deepEqual(calls.map((c) => JSON.parse(c.function.arguments).city), ["Paris", "London"]);
  assert.equal(new Set(calls.map((c) => c.id)).size, 2);
  const deltas = (await collect(await ask("both please", { tools, stream: true }))).flatMap((c) => c.choices[0]?.delta.tool_calls ?? []);
  for (const [index, city] of ["Paris", "London"].entries()) {
    assert.deepEqual(JSON.parse(deltas.filter((d) => d.index === index).map((d) => d.function?.arguments ?? "").join("")), { city });
  }
});

await check("parallel_tool_calls false gives one call", async () => {
  const { message, finish_reason } = (await ask("both please", { tools, parallel_tool_calls: false })).choices[0];
  assert.equal(message.tool_calls.length, 1);
  assert.equal(finish_reason, "tool_calls");
});

await check("tool_choice none calls nothing", async () => {
  const { message, finish_reason } = (await ask("weather?", { tools, tool_choice: "none" })).choices[0];
  assert.ok(!message.tool_calls);
  assert.equal(finish_reason, "stop");
});

await check("tool_choice required makes any model call a tool", async () => {
  for (let seed = 0; seed < 5; seed++) {
    const { message, finish_reason } = (await noise({ tools, tool_choice: "required", parallel_tool_calls: false, max_tokens: 300, seed, temperature: 1 })).choices[0];
    assert.equal(finish_reason, "tool_calls");
    assert.equal(message.tool_calls.length, 1);
    const { name, arguments: text } = message.tool_calls[0].function;
    const given = JSON.parse(text);
    if (name === "get_weather") assert.ok(["Paris", "London"].includes(given.city));
    else assert.ok(name === "get_time" && ["UTC", "CET"].includes(given.zone) && typeof given.seconds === "boolean");
  }
});

await check("a named tool is the one that is called, streamed too", async () => {
  const tool_choice = { type: "function", function: { name: "get_time" } };
  const call = (await noise({ tools, tool_choice, max_tokens: 300 })).choices[0].message.tool_calls[0];
  assert.equal(call.function.name, "get_time");
  const deltas = (await collect(await noise({ tools, tool_choice, max_tokens: 300, stream: true }))).flatMap((c) => c.choices[0]?.delta.tool_calls ?? []);
  assert.equal(deltas[0].function.name, "get_time");
  assert.equal(deltas.map((d) => d.function?.arguments ?? "").join(""), call.function.arguments);
});

await check("a tool_choice that names no tool of the request is refused", async () => {
  await fails(ask("x", { tools, tool_choice: { type: "function", function: { name: "nowhere" } } }), { status: 400, says: /nowhere|tool_choice/ });
});

await check("a tool's result is read", async () => {
  const first = await ask("weather?", { tools });
  const call = first.choices[0].message;
  const answer = await client.chat.completions.create({
    model: CHAT, tools,
    messages: [...says("weather?"), call, { role: "tool", tool_call_id: call.tool_calls[0].id, content: "sunny" }],
  });
  assert.equal(answer.choices[0].message.content, "It is sunny in Paris.");
});

await check("the library's own loop of tools runs to the end", async () => {
  const cities = [];
  const runner = client.chat.completions.runTools({
    model: CHAT, messages: says("weather?"),
    tools: [{ type: "function", function: { name: "get_weather", ...WEATHER, parse: JSON.parse, function: ({ city }) => (cities.push(city), "sunny") } }],
  });
  assert.equal(await runner.finalContent(), "It is sunny in Paris.");
  assert.deepEqual(cities, ["Paris"]);
});

await check("json_schema: every answer that ends by itself validates", async () => {
  const response_format = { type: "json_schema", json_schema: { name: "person", strict: true, schema: PERSON } };
  for (let seed = 0; seed < 10; seed++) {
    const { message, finish_reason } = (await noise({ response_format, max_tokens: 400, seed, temperature: 1 })).choices[0];
    assert.equal(finish_reason, "stop");
    assertPerson(JSON.parse(message.content));
  }
});

await check("zod schemas of the library are held to, streamed too", async () => {
  const Person = z.object({ name: z.enum(["Ada", "Bob"]), old: z.boolean() });
  const more = { model: RANDOM, messages: says("a"), max_tokens: 300, response_format: zodResponseFormat(Person, "person") };
  const parsed = (await client.chat.completions.parse(more)).choices[0].message.parsed;
  assert.ok(["Ada", "Bob"].includes(parsed.name) && typeof parsed.old === "boolean");
  const streamed = await client.chat.completions.stream({ ...more, seed: 9 }).finalChatCompletion();
  assert.ok(["Ada", "Bob"].includes(streamed.choices[0].message.parsed.name));
});

await check("json_object gives a JSON object or the beginning of one", async () => {
  const { message, finish_reason } = (await noise({ response_format: { type: "json_object" }, max_tokens: 200 })).choices[0];
  if (finish_reason === "stop") assert.equal(typeof JSON.parse(message.content), "object");
  else assert.match(message.content, /^\s*\{/);
});

await check("a schema that cannot be held to is refused by the name of its keyword", async () => {
  const response_format = { type: "json_schema", json_schema: { name: "x", schema: { type: "object", properties: { a: { not: {} } } } } };
  await fails(noise({ response_format }), { status: 400, says: /not/ });
  await fails(noise({ response_format: { type: "yaml" } }), { status: 400, says: /response_format/ });
});

await check("logprobs tell of every token and its alternatives", async () => {
  const { logprobs } = (await noise({ logprobs: true, top_logprobs: 3, temperature: 0 })).choices[0];
  assert.ok(logprobs.content.length >= 1);
  for (const t of logprobs.content) {
    assert.ok(t.logprob <= 0 && t.top_logprobs.length === 3, JSON.stringify(t));
    assert.ok(t.top_logprobs[0].logprob >= t.top_logprobs[1].logprob && t.top_logprobs[1].logprob >= t.top_logprobs[2].logprob);
    assert.equal(t.token, t.top_logprobs[0].token, "at temperature 0 the likeliest is drawn");
    assert.ok(Array.isArray(t.bytes));
  }
  const sure = (await ask("hi", { logprobs: true })).choices[0].logprobs.content;
  assert.equal(Buffer.from(sure.flatMap((t) => t.bytes)).toString(), "Hello, world!");
  assert.ok(sure.every((t) => t.logprob > -0.01 && t.top_logprobs.length === 0));
  const chunks = await collect(await ask("hi", { logprobs: true, stream: true }));
  assert.equal(chunks.flatMap((c) => c.choices[0]?.logprobs?.content ?? []).map((t) => t.token).join(""), "Hello, world!");
});

await check("n gives so many choices, streamed too", async () => {
  const answer = await noise({ n: 3, temperature: 1.5 });
  assert.deepEqual(answer.choices.map((c) => c.index), [0, 1, 2]);
  assert.ok(new Set(answer.choices.map((c) => c.message.content)).size > 1, "they are not the same");
  const chunks = await collect(await noise({ n: 3, temperature: 1.5, stream: true }));
  for (const index of [0, 1, 2]) {
    assert.equal(textOf(chunks, index), answer.choices[index].message.content, "a seed repeats");
    assert.equal(chunks.filter((c) => c.choices.some((x) => x.index === index && x.finish_reason)).length, 1);
  }
});

await check("a stop string ends an answer and is not part of it", async () => {
  for (const stop of ["world", ["zzz", "world"]]) {
    const choice = (await ask("hi", { stop })).choices[0];
    assert.equal(choice.message.content, "Hello, ");
    assert.equal(choice.finish_reason, "stop");
  }
  assert.equal(textOf(await collect(await ask("hi", { stop: "lo, wor", stream: true }))), "Hel");
});

await check("max_completion_tokens and max_tokens end an answer", async () => {
  for (const limit of [{ max_completion_tokens: 2 }, { max_tokens: 2 }]) {
    const answer = await ask("hi", limit);
    assert.equal(answer.choices[0].finish_reason, "length");
    assert.equal(answer.usage.completion_tokens, 2);
    assert.equal(answer.choices[0].message.content.trim(), "Hello,");
  }
});

await check("the same seed gives the same answer, another one another", async () => {
  const text = async (seed) => (await noise({ seed, temperature: 1.5 })).choices[0].message.content;
  assert.equal(await text(7), await text(7));
  assert.notEqual(await text(7), await text(8));
});

await check("logit_bias forces and forbids tokens", async () => {
  const [first] = (await (await recordedFetch(`${url}/tokenize`, { method: "POST", body: JSON.stringify({ model: CHAT, content: "zz" }), headers: { "content-type": "application/json", authorization: `Bearer ${key}` } })).json()).tokens;
  const forced = (await ask("hi", { logit_bias: { [first]: 100 }, max_tokens: 4 })).choices[0];
  assert.match(forced.message.content, /^z+$/);
  assert.equal(forced.finish_reason, "length");
});

await check("reasoning is told apart from the answer", async () => {
  const more = { reasoning_effort: "low" };
  const { message } = (await ask("hi", more)).choices[0];
  assert.equal(message.content.trim(), "Hello there.");
  assert.equal(message.reasoning_content.trim(), "The user greets me.");
  const chunks = await collect(await ask("hi", { ...more, stream: true, stream_options: { include_usage: true } }));
  assert.equal(textOf(chunks).trim(), "Hello there.");
  assert.equal(chunks.map((c) => c.choices[0]?.delta.reasoning_content ?? "").join("").trim(), "The user greets me.");
  assert.ok(chunks.at(-1).usage.completion_tokens_details.reasoning_tokens > 0);
});

await check("a stream that is left ends in the engine as well", async () => {
  const stream = await ask("sing", { stream: true });
  let n = 0;
  for await (const chunk of stream) {
    assert.ok(chunk.choices.length);
    if (++n === 5) break;
  }
  stream.controller.abort();
  await idle(CHAT);
  const controller = new AbortController();
  const whole = ask("sing").catch(() => "gone"); // never streamed: it goes on until the context is full or the client leaves
  const aborted = client.chat.completions.create({ model: CHAT, messages: says("sing") }, { signal: controller.signal }).catch((e) => e);
  setTimeout(() => controller.abort(), 100);
  assert.ok((await aborted) instanceof Error);
  await whole;
  await idle(CHAT);
});

await check("wrong requests are refused with the field's name", async () => {
  const error = await fails(ask("hi", { temperature: "hot" }), { status: 400, says: /temperature/ });
  assert.equal(error.param, "temperature");
  assert.equal(error.type, "invalid_request_error");
  await fails(ask("hi", { temperature: -1 }), { status: 400, says: /temperature/ });
  await fails(ask("hi", { top_logprobs: 21, logprobs: true }), { status: 400, says: /top_logprobs/ });
  await fails(ask("hi", { n: 0 }), { status: 400, says: /\bn\b/ });
  await fails(ask("hi", { stop: Array(40).fill("x") }), { status: 400, says: /stop/ });
  await fails(client.chat.completions.create({ model: CHAT, messages: [] }), { status: 400, says: /messages/ });
  await fails(client.chat.completions.create({ model: CHAT, messages: [{ role: "robot", content: "x" }] }), { status: 400, says: /role/ });
  await fails(client.chat.completions.create({ model: CHAT, messages: [{ role: "user", content: 5 }] }), { status: 400, says: /content/ });
  await fails(client.chat.completions.create({ model: "nowhere", messages: says("x") }), { status: 404, says: /nowhere/ });
});

await check("a prompt that does not fit is refused, never cut", async () => {
  await fails(ask("x ".repeat(5000)), { status: 400, says: /context|tokens/ });
});

await check("unknown fields are ignored", async () => {
  assert.equal((await ask("hi", { a_field_of_tomorrow: { x: 1 }, user: "u", store: false, metadata: { a: "b" }, service_tier: "auto" })).choices[0].message.content, "Hello, world!");
});

await check("contents of parts and system and developer messages are read", async () => {
  const messages = [{ role: "system", content: "s" }, { role: "developer", content: "d" }, { role: "user", content: [{ type: "text", text: "please " }, { type: "text", text: "sing" }] }];
  const answer = await client.chat.completions.create({ model: CHAT, messages, max_tokens: 2 });
  assert.match(answer.choices[0].message.content, /^la la ?$/);
});

await finish();
