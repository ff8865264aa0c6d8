// npm's @anthropic-ai/sdk.
import Anthropic from "@anthropic-ai/sdk";
import { CHAT, PERSON, RANDOM, TIME, WEATHER, assert, assertPerson, check, fails, finish, idle, key, recordedFetch, url } from "./check.mjs";

const client = new Anthropic({ baseURL: url, apiKey: key ?? "none", fetch: recordedFetch, maxRetries: 0 });
const says = (content) => [{ role: "user", content }];
const ask = (content, more = {}) => client.messages.create({ model: CHAT, max_tokens: 200, messages: says(content), ...more });
const tool = (name, { description, parameters }) => ({ name, description, input_schema: parameters });
const tools = [tool("get_weather", WEATHER), tool("get_time", TIME)];
const collect = async (stream) => {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
};

await check("a message is answered as a whole", async () => {
  const answer = await ask("hi");
  assert.match(answer.id, /^msg_/);
  assert.equal(answer.type, "message");
  assert.equal(answer.role, "assistant");
  assert.deepEqual(answer.content.map((b) => [b.type, b.text]), [["text", "Hello, world!"]]);
  assert.equal(answer.stop_reason, "end_turn");
  assert.equal(answer.stop_sequence, null);
  assert.ok(answer.usage.input_tokens > 3 && answer.usage.output_tokens >= 4);
});

await check("events come in the order that the API promises, indexes without a gap", async () => {
  const events = await collect(await ask("hi", { stream: true }));
  const types = events.map((e) => e.type).filter((t) => t !== "ping");
  assert.equal(types[0], "message_start");
  assert.equal(types[1], "content_block_start");
  assert.deepEqual(types.slice(-3), ["content_block_stop", "message_delta", "message_stop"]);
  assert.ok(types.slice(2, -3).every((t) => t === "content_block_delta"));
  assert.equal(events.map((e) => e.delta?.text ?? "").join(""), "Hello, world!");
  const delta = events.find((e) => e.type === "message_delta");
  assert.equal(delta.delta.stop_reason, "end_turn");
  assert.ok(delta.usage.output_tokens >= 4);
});

await check("the library puts a streamed message together", async () => {
  const stream = client.messages.stream({ model: CHAT, max_tokens: 200, messages: says("hi") });
  const pieces = [];
  stream.on("text", (text) => pieces.push(text));
  assert.equal(await stream.finalText(), "Hello, world!");
  assert.ok(pieces.length >= 1); // tokens that are ready together come as one piece
});

await check("a tool is called with an object as its input", async () => {
  const answer = await ask("weather?", { tools });
  assert.equal(answer.stop_reason, "tool_use");
  const call = answer.content.find((b) => b.type === "tool_use");
  assert.equal(call.name, "get_weather");
  assert.deepEqual(call.input, { city: "Paris" });
  assert.ok(call.id);
});

await check("a streamed call's input comes in pieces of JSON", async () => {
  const events = await collect(await ask("both please", { tools, stream: true }));
  const starts = events.filter((e) => e.type === "content_block_start" && e.content_block.type === "tool_use");
  assert.equal(starts.length, 2);
  assert.deepEqual(events.filter((e) => e.type === "content_block_start").map((e) => e.index), [...events.filter((e) => e.type === "content_block_start").keys()]);
  for (const [i, city] of ["Paris", "London"].entries()) {
    const pieces = events.filter((e) => e.type === "content_block_delta" && e.index === starts[i].index).map((e) => e.delta.partial_json);
    assert.deepEqual(JSON.parse(pieces.join("")), { city });
  }
  const final = await client.messages.stream({ model: CHAT, max_tokens: 200, messages: says("both please"), tools }).finalMessage();
  assert.deepEqual(final.content.filter((b) => b.type === "tool_use").map((b) => b.input.city), ["Paris", "London"]);
});

await check("tool_choice any, tool and none are held to", async () => {
  const noise = (tool_choice) => client.messages.create({ model: RANDOM, max_tokens: 300, messages: says("a"), tools, tool_choice, temperature: 1 });
  const any = await noise({ type: "any", disable_parallel_tool_use: true });
  assert.equal(any.stop_reason, "tool_use");
  assert.equal(any.content.filter((b) => b.type === "tool_use").length, 1);
  const named = await noise({ type: "tool", name: "get_time" });
  const call = named.content.find((b) => b.type === "tool_use");
  assert.equal(call.name, "get_time");
  assert.ok(["UTC", "CET"].includes(call.input.zone) && typeof call.input.seconds === "boolean");
  assert.ok((await ask("weather?", { tools, tool_choice: { type: "none" } })).content.every((b) => b.type === "text"));
  const one = await ask("both please", { tools, tool_choice: { type: "auto", disable_parallel_tool_use: true } });
  assert.equal(one.content.filter((b) => b.type === "tool_use").length, 1);
  await fails(ask("x", { tools, tool_choice: { type: "tool", name: "nowhere" } }), { status: 400, says: /nowhere|tool_choice/ });
});

await check("a tool's result is read, as a text and as blocks", async () => {
  const first = await ask("weather?", { tools });
  const call = first.content.find((b) => b.type === "tool_use");
  for (const content of ["sunny", [{ type: "text", text: "sunny" }]]) {
    const messages = [...says("weather?"), { role: "assistant", content: first.content }, { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content }] }];
    const answer = await client.messages.create({ model: CHAT, max_tokens: 100, tools, messages });
    assert.equal(answer.content[0].text, "It is sunny in Paris.");
  }
});

await check("thinking is a block of its own, before the text", async () => {
  const thinking = { type: "enabled", budget_tokens: 1024 };
  const answer = await ask("hi", { thinking, max_tokens: 2000 });
  assert.deepEqual(answer.content.map((b) => b.type), ["thinking", "text"]);
  assert.equal(answer.content[0].thinking.trim(), "The user greets me.");
  assert.equal(answer.content[1].text.trim(), "Hello there.");
  const events = await collect(await ask("hi", { thinking, max_tokens: 2000, stream: true }));
  assert.equal(events.map((e) => e.delta?.thinking ?? "").join("").trim(), "The user greets me.");
});

await check("a stop sequence ends a message and is told", async () => {
  const answer = await ask("hi", { stop_sequences: ["zzz", "world"] });
  assert.equal(answer.content[0].text, "Hello, ");
  assert.equal(answer.stop_reason, "stop_sequence");
  assert.equal(answer.stop_sequence, "world");
});

await check("output_config.format holds a message to a schema, streamed too", async () => {
  const held = { model: RANDOM, max_tokens: 1000, messages: says("a"), output_config: { format: { type: "json_schema", schema: PERSON } } };
  const answer = await client.messages.create(held);
  assert.equal(answer.stop_reason, "end_turn");
  assert.deepEqual(answer.content.map((b) => b.type), ["text"]);
  assertPerson(JSON.parse(answer.content[0].text));
  const stream = client.messages.stream(held);
  assertPerson(JSON.parse(await stream.finalText()));
  const format = { type: "json_schema", schema: { type: "object", unevaluatedProperties: false } };
  await fails(ask("hi", { output_config: { format } }), { status: 400, says: /unevaluatedProperties/ });
  await fails(ask("hi", { output_config: { format: { type: "yaml" } } }), { status: 400, says: /json_schema/ });
});

await check("max_tokens ends a message", async () => {
  const answer = await ask("hi", { max_tokens: 2 });
  assert.equal(answer.stop_reason, "max_tokens");
  assert.equal(answer.usage.output_tokens, 2);
});

await check("count_tokens counts what a message will cost", async () => {
  const counted = await client.messages.countTokens({ model: CHAT, system: "s", messages: says("hi"), tools });
  const answer = await ask("hi", { system: "s", tools });
  const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens } = answer.usage;
  assert.equal(counted.input_tokens, input_tokens + (cache_read_input_tokens ?? 0) + (cache_creation_input_tokens ?? 0));
});

await check("system prompts are texts or blocks", async () => {
  for (const system of ["s", [{ type: "text", text: "s", cache_control: { type: "ephemeral" } }]]) {
    assert.equal((await ask("hi", { system })).content[0].text, "Hello, world!");
  }
});

await check("models are listed and found by name", async () => {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model);
  const chat = listed.find((m) => m.id === CHAT);
  assert.equal(chat.type, "model");
  assert.equal(chat.display_name, CHAT);
  assert.ok(Date.parse(chat.created_at) > 0);
  assert.deepEqual(await client.models.retrieve(CHAT), chat);
  const one_by_one = [];
  for await (const model of client.models.list({ limit: 1 })) one_by_one.push(model);
  assert.deepEqual(one_by_one, listed);
  assert.ok((await fails(client.models.retrieve("nowhere"), { status: 404, says: /nowhere/ })).error.error.type === "not_found_error");
});

await check("what Claude Code sends beside messages is taken", async () => {
  const messages = [{ role: "system", content: "first" }, ...says("hi"), { role: "system", content: "later" }];
  const { data, response } = await client.messages.create({ model: CHAT, max_tokens: 200, messages, thinking: { type: "adaptive" },
    context_management: { edits: [{ type: "clear_thinking_20251015", keep: "all" }] } }).withResponse();
  assert.equal(data.type, "message");
  assert.match(response.headers.get("minnow-unused-options"), /clear_thinking_20251015/);
});

await check("wrong requests are refused with an error that the library knows", async () => {
  const error = await fails(ask("hi", { temperature: "hot" }), { status: 400, says: /temperature/ });
  assert.ok(error instanceof Anthropic.BadRequestError);
  assert.equal(error.error.error.type, "invalid_request_error");
  await fails(ask("hi", { max_tokens: 0 }), { status: 400, says: /max_tokens/ });
  await fails(client.messages.create({ model: CHAT, messages: says("hi") }), { status: 400, says: /max_tokens/ });
  await fails(client.messages.create({ model: CHAT, max_tokens: 5, messages: [] }), { status: 400, says: /messages/ });
  const missing = await fails(ask("hi", { model: "nowhere" }), { status: 404, says: /nowhere/ });
  assert.ok(missing instanceof Anthropic.NotFoundError);
  await fails(ask("x ".repeat(5000)), { status: 400, says: /context|tokens|long/ });
});

await check("every answer names its request", async () => {
  const { response, request_id } = await client.messages.create({ model: CHAT, max_tokens: 5, messages: says("hi") }).withResponse();
  assert.ok(response.headers.get("request-id"));
  assert.equal(request_id, response.headers.get("request-id"));
});

await check("a stream that is left ends in the engine as well", async () => {
  const stream = client.messages.stream({ model: CHAT, max_tokens: 4000, messages: says("sing") });
  let n = 0;
  stream.on("text", () => ++n === 5 && stream.abort());
  await fails(stream.finalMessage(), { says: /abort/i });
  await idle(CHAT);
});

await finish();
