// OpenAI's Node SDK against the proxy. Address, key and authority come from the environment alone.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { check, expected, failure, gather, isPart, main, trip, tripSchema } from "./suite.mjs";

const client = new OpenAI();
const messages = [{ role: "user", content: "Tell me about dragons." }];
const tool = { type: "function", function: { name: "weather", strict: true, parameters: tripSchema } };
const Trip = z.object({ city: z.string(), days: z.number().int().min(3) });

const create = (more) => client.chat.completions.create({ model: "smart", messages, ...more });
const words = (chunks) => chunks.flatMap((chunk) => chunk.choices).map((choice) => choice.delta.content ?? "").join("");
const finishes = (chunks) =>
  chunks.flatMap((chunk) => chunk.choices).flatMap((choice) => choice.finish_reason ?? []);

async function stream(more) {
  const chunks = [];
  await gather(await create({ stream: true, ...more }), chunks);
  return chunks;
}

check("plain", async () => {
  const { choices, usage } = await create();
  assert.deepEqual([choices[0].message.content, choices[0].finish_reason], [expected.text, "stop"]);
  assert.equal(usage.completion_tokens, expected.tokens);
  assert.equal(usage.total_tokens, usage.prompt_tokens + expected.tokens);
});

check("streamed", async () => {
  const chunks = await stream();
  assert.deepEqual([words(chunks), finishes(chunks)], [expected.text, ["stop"]]);
  assert.ok(chunks.every((chunk) => !chunk.usage && chunk.object === "chat.completion.chunk"));
});

check("streamed with usage", async () => {
  const chunks = await stream({ stream_options: { include_usage: true } });
  assert.equal(words(chunks), expected.text);
  assert.deepEqual(chunks.filter((chunk) => chunk.usage).map((chunk) => chunk.usage.completion_tokens), [expected.tokens]);
  assert.deepEqual(chunks.at(-1).choices, []);
});

check("streamed by the helper", async () => {
  const runner = client.chat.completions.stream({ model: "smart", messages });
  let heard = "";
  runner.on("content", (delta) => (heard += delta));
  const { choices } = await runner.finalChatCompletion();
  assert.deepEqual([choices[0].message.content, choices[0].finish_reason, heard], [expected.text, "stop", expected.text]);
});

check("tools", async () => {
  const { choices } = await create({ tools: [tool] });
  assert.equal(choices[0].finish_reason, "tool_calls");
  const [call] = choices[0].message.tool_calls;
  assert.deepEqual([call.function.name, JSON.parse(call.function.arguments)], ["weather", trip]);
  const result = { role: "tool", tool_call_id: call.id, content: "sunny" };
  const answer = await create({ tools: [tool], messages: [...messages, choices[0].message, result] });
  assert.equal(answer.choices[0].message.content, expected.text);
});

check("tools streamed", async () => {
  const chunks = await stream({ tools: [tool] });
  const calls = chunks.flatMap((chunk) => chunk.choices).flatMap((choice) => choice.delta.tool_calls ?? []);
  assert.deepEqual(JSON.parse(calls.map((call) => call.function.arguments ?? "").join("")), trip);
  assert.deepEqual(finishes(chunks), ["tool_calls"]);
});

check("tools run by the helper", async () => {
  let asked;
  const run = { ...tool.function, parse: JSON.parse, function: (input) => ((asked = input), "sunny") };
  const runner = client.chat.completions.runTools({
    model: "smart",
    messages,
    stream: true,
    tools: [{ type: "function", function: run }],
  });
  assert.deepEqual([await runner.finalContent(), asked], [expected.text, trip]);
});

check("structured by schema", async () => {
  const json_schema = { name: "trip", strict: true, schema: tripSchema };
  const { choices } = await create({ response_format: { type: "json_schema", json_schema } });
  assert.deepEqual(JSON.parse(choices[0].message.content), trip);
});

check("structured by zod", async () => {
  const response_format = zodResponseFormat(Trip, "trip");
  const { choices } = await client.chat.completions.parse({ model: "smart", messages, response_format });
  assert.deepEqual(choices[0].message.parsed, trip);
  const final = await client.chat.completions.stream({ model: "smart", messages, response_format }).finalChatCompletion();
  assert.deepEqual(final.choices[0].message.parsed, trip);
});

check("system prompt", async () => {
  for (const role of ["system", "developer"]) {
    const { choices } = await create({ messages: [{ role, content: expected.system }, ...messages] });
    assert.equal(choices[0].message.content, expected.text);
  }
});

check("stop sequence", async () => {
  if (expected.vendor === "openai_responses") {
    // it has no word for them, and nobody pretends otherwise
    const error = await failure(OpenAI.BadRequestError, () => create({ stop: [expected.stop] }));
    return assert.match(error.message, /stop/);
  }
  const { choices } = await create({ stop: [expected.stop] });
  assert.deepEqual([choices[0].message.content, choices[0].finish_reason], [expected.before_stop, "stop"]);
  assert.equal(words(await stream({ stop: expected.stop })), expected.before_stop);
});

check("model listing", async () => {
  const models = [];
  await gather(client.models.list(), models);
  const names = models.map((model) => model.id);
  assert.ok(names.includes("smart") && names.includes("down"), names);
});

check("wrong key", async () => {
  const stranger = new OpenAI({ apiKey: "sk-of-nobody" });
  const ask = (stream) => stranger.chat.completions.create({ model: "smart", messages, stream });
  for (const stream of [false, true]) await failure(OpenAI.AuthenticationError, () => ask(stream));
});

check("unknown model", async () => {
  const error = await failure(OpenAI.NotFoundError, () => create({ model: "smrat" }));
  assert.equal(error.code, "model_not_found");
});

check("bad request", async () => {
  for (const stream of [false, true]) {
    const error = await failure(OpenAI.BadRequestError, () => create({ model: "bad-request", stream }));
    assert.equal(error.type, "invalid_request_error");
  }
});

check("everybody down", async () => {
  for (const stream of [false, true]) {
    const error = await failure(OpenAI.InternalServerError, () => create({ model: "down", stream }));
    assert.equal(error.status, 503);
  }
});

check("failover", async () => {
  for (const model of ["resets", "fails", "errs"]) {
    assert.equal((await create({ model })).choices[0].message.content, expected.text);
    const chunks = await stream({ model });
    assert.deepEqual([words(chunks), finishes(chunks)], [expected.text, ["stop"]]);
  }
});

check("held answer", async () => {
  // the proxy has answered 200 and keeps the client awake before it knows who will serve, or that nobody will
  assert.equal(words(await stream({ model: "silent" })), expected.text);
  const held = await create({ model: "silence", stream: true });
  const error = await failure(OpenAI.APIError, () => gather(held, []));
  assert.ok(error.code, error);
});

check("broken stream", async () => {
  for (const model of ["cut", "error-late"]) {
    const chunks = [];
    const error = await failure(OpenAI.APIError, async () => gather(await create({ model, stream: true }), chunks));
    // the proxy's word, not merely a broken connection
    assert.ok(error.code, error);
    isPart(words(chunks));
    assert.deepEqual(finishes(chunks), []);
  }
});

check("broken stream by the helper", async () => {
  const runner = client.chat.completions.stream({ model: "cut", messages });
  await failure(OpenAI.APIError, () => runner.finalChatCompletion());
});

await main();
