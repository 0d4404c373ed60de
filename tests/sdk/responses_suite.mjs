// OpenAI's Node SDK against the proxy's Responses API. Address, key and authority come from the environment alone.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { check, expected, failure, gather, isPart, main, trip, tripSchema } from "./suite.mjs";

const client = new OpenAI();
const input = "Tell me about dragons.";
const tool = { type: "function", name: "weather", strict: true, parameters: tripSchema };
const Trip = z.object({ city: z.string(), days: z.number().int().min(3) });
const sequence = [
  "response.created",
  "response.in_progress",
  "response.output_item.added",
  "response.content_part.added",
  "response.output_text.delta",
  "response.output_text.done",
  "response.content_part.done",
  "response.output_item.done",
  "response.completed",
];

const create = (more) => client.responses.create({ model: "smart", input, ...more });
const of = (events, type) => events.filter((event) => event.type === type);
const words = (events) => of(events, "response.output_text.delta").map((event) => event.delta).join("");

async function stream(more) {
  const events = [];
  await gather(await create({ stream: true, ...more }), events);
  return events;
}

function isWhole({ status, error, usage, id, created_at }) {
  assert.deepEqual([status, error], ["completed", null]);
  assert.equal(usage.total_tokens, usage.input_tokens + usage.output_tokens);
  assert.ok(id && created_at > 0);
}

check("plain", async () => {
  const response = await create();
  isWhole(response);
  assert.deepEqual([response.output_text, response.usage.output_tokens], [expected.text, expected.tokens]);
});

check("streamed", async () => {
  const events = await stream();
  assert.equal(words(events), expected.text);
  const kinds = events.map((event) => event.type);
  assert.deepEqual(kinds.filter((kind, place) => kind !== kinds[place - 1]), sequence);
  assert.ok(events.every((event, place) => event.sequence_number === place));
  const { response } = events.at(-1);
  isWhole(response);
  assert.equal(response.output[0].content[0].text, expected.text);
});

check("streamed by the helper", async () => {
  const runner = client.responses.stream({ model: "smart", input });
  let heard = "";
  runner.on("response.output_text.delta", (event) => (heard += event.delta));
  const response = await runner.finalResponse();
  assert.deepEqual([response.output_text, heard], [expected.text, expected.text]);
});

check("tools", async () => {
  const response = await create({ tools: [tool] });
  const [call] = response.output;
  assert.deepEqual([call.type, call.name, JSON.parse(call.arguments)], ["function_call", "weather", trip]);
  const result = { type: "function_call_output", call_id: call.call_id, output: "sunny" };
  const answer = await create({ tools: [tool], input: [{ role: "user", content: input }, call, result] });
  assert.equal(answer.output_text, expected.text);
});

check("tools streamed", async () => {
  const events = await stream({ tools: [tool] });
  const [done] = of(events, "response.function_call_arguments.done");
  const pieces = of(events, "response.function_call_arguments.delta").map((event) => event.delta);
  assert.deepEqual([pieces.join(""), JSON.parse(done.arguments)], [done.arguments, trip]);
  const [{ item }] = of(events, "response.output_item.done");
  assert.deepEqual([item.id, item.name, item.arguments], [done.item_id, "weather", done.arguments]);
});

check("structured by schema", async () => {
  const format = { type: "json_schema", name: "trip", strict: true, schema: tripSchema };
  assert.deepEqual(JSON.parse((await create({ text: { format } })).output_text), trip);
});

check("structured by zod", async () => {
  const text = { format: zodTextFormat(Trip, "trip") };
  const parsed = await client.responses.parse({ model: "smart", input, text });
  assert.deepEqual(parsed.output_parsed, trip);
  const final = await client.responses.stream({ model: "smart", input, text }).finalResponse();
  assert.deepEqual(final.output_parsed, trip);
});

check("system prompt", async () => {
  assert.equal((await create({ instructions: expected.system })).output_text, expected.text);
  for (const role of ["system", "developer"]) {
    const turns = [{ role, content: expected.system }, { role: "user", content: input }];
    assert.equal((await create({ input: turns })).output_text, expected.text);
  }
});

check("parameters", async () => {
  const more = { temperature: 0.5, top_p: 0.9, max_output_tokens: 100, store: false, prompt_cache_key: "key" };
  assert.equal((await create(more)).output_text, expected.text);
});

check("wrong key", async () => {
  const stranger = new OpenAI({ apiKey: "sk-of-nobody" });
  const ask = (stream) => stranger.responses.create({ model: "smart", input, stream });
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

for (const model of ["resets", "fails", "errs"]) {
  check(`failover: ${model}`, async () => {
    assert.equal((await create({ model })).output_text, expected.text);
    const events = await stream({ model });
    assert.deepEqual([words(events), events.at(-1).type], [expected.text, "response.completed"]);
  });
}

check("held answer", async () => {
  // the proxy has answered 200 and keeps the client awake before it knows who will serve, or that nobody will
  assert.equal(words(await stream({ model: "silent" })), expected.text);
  const error = await failure(OpenAI.APIError, () => stream({ model: "silence" }));
  assert.ok(error.code, error);
});

check("broken stream", async () => {
  for (const model of ["cut", "error-late"]) {
    const events = [];
    const error = await failure(OpenAI.APIError, async () => gather(await create({ model, stream: true }), events));
    assert.ok(error.code, error);
    isPart(words(events));
    assert.ok(events.every((event) => event.type !== "response.completed"));
  }
});

await main();
