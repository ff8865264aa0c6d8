// The Vercel AI SDK: npm's ai, over @ai-sdk/openai-compatible.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, embedMany, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { CHAT, RANDOM, assert, check, fails, finish, idle, key, recordedFetch, url } from "./check.mjs";

const minnow = createOpenAICompatible({ name: "minnow", baseURL: `${url}/v1`, apiKey: key ?? "none", fetch: recordedFetch, includeUsage: true, supportsStructuredOutputs: true });
const more = { model: minnow(CHAT), maxRetries: 0 };
const getWeather = tool({ description: "The weather", inputSchema: z.object({ city: z.enum(["Paris", "London"]) }), execute: async ({ city }) => `sunny in ${city}` });

await check("text is generated", async () => {
  const { text, finishReason, usage } = await generateText({ ...more, prompt: "hi" });
  assert.equal(text, "Hello, world!");
  assert.equal(finishReason, "stop");
  assert.ok(usage.inputTokens > 3 && usage.outputTokens >= 4);
});

await check("text is streamed", async () => {
  const result = streamText({ ...more, prompt: "hi" });
  const pieces = [];
  for await (const piece of result.textStream) pieces.push(piece);
  assert.equal(pieces.join(""), "Hello, world!");
  assert.ok(pieces.length >= 1); // tokens that are ready together come as one piece
  assert.ok((await result.usage).outputTokens >= 4);
  assert.equal(await result.finishReason, "stop");
});

await check("a loop of tools runs to its end, whole and streamed", async () => {
  const loop = { ...more, prompt: "weather?", tools: { get_weather: getWeather }, stopWhen: stepCountIs(3) };
  const whole = await generateText(loop);
  assert.equal(whole.text, "It is sunny in Paris.");
  assert.equal(whole.steps.length, 2);
  assert.deepEqual(whole.steps[0].toolCalls[0].input, { city: "Paris" });
  const streamed = streamText(loop);
  assert.equal(await streamed.text, "It is sunny in Paris.");
});

await check("toolChoice required and a named tool are held to", async () => {
  const time = tool({ description: "The time", inputSchema: z.object({ zone: z.enum(["UTC", "CET"]) }) });
  const noise = { model: minnow(RANDOM), maxRetries: 0, prompt: "a", maxOutputTokens: 300, tools: { get_time: time } };
  for (const toolChoice of ["required", { type: "tool", toolName: "get_time" }]) {
    const { toolCalls } = await generateText({ ...noise, toolChoice });
    assert.ok(toolCalls.length >= 1 && ["UTC", "CET"].includes(toolCalls[0].input.zone), JSON.stringify(toolCalls));
  }
});

await check("an object of a schema is generated, and streamed", async () => {
  const schema = z.object({ name: z.enum(["Ada", "Bob"]), age: z.number().int().min(1).max(99) });
  const noise = { model: minnow(RANDOM), maxRetries: 0, prompt: "a", maxOutputTokens: 300, output: Output.object({ schema }) };
  schema.parse((await generateText(noise)).output);
  const streamed = streamText(noise);
  let last;
  for await (const part of streamed.partialOutputStream) last = part;
  schema.parse(last);
});

await check("reasoning is told apart from the answer", async () => {
  const { text, reasoningText } = await generateText({ ...more, prompt: "hi", providerOptions: { minnow: { reasoningEffort: "low" } } });
  assert.equal(text.trim(), "Hello there.");
  assert.equal(reasoningText.trim(), "The user greets me.");
});

await check("texts become vectors", async () => {
  const { embeddings } = await embedMany({ model: minnow.embeddingModel(RANDOM), values: ["abc", "the cat"], maxRetries: 0 });
  assert.equal(embeddings.length, 2);
  assert.equal(embeddings[0].length, 32);
});

await check("stop sequences and limits are held to", async () => {
  assert.equal((await generateText({ ...more, prompt: "hi", stopSequences: ["world"] })).text, "Hello, ");
  assert.equal((await generateText({ ...more, prompt: "hi", maxOutputTokens: 2 })).finishReason, "length");
});

await check("errors have a status and the server's words", async () => {
  await fails(generateText({ ...more, model: minnow("nowhere"), prompt: "hi" }), { status: 404, says: /nowhere/ });
  await fails(generateText({ ...more, prompt: "x ".repeat(5000) }), { status: 400, says: /context|tokens/ });
});

await check("a stream that is aborted ends in the engine as well", async () => {
  const controller = new AbortController();
  const result = streamText({ ...more, prompt: "sing", abortSignal: controller.signal, onError: () => {} });
  let n = 0;
  for await (const part of result.fullStream) if (part.type === "text-delta" && ++n === 5) controller.abort();
  await idle(CHAT);
});

await finish();
