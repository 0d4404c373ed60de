// Anthropic's Node SDK against the proxy. Address, key and authority come from the environment alone.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { z } from "zod";
import { check, expected, failure, gather, isPart, main, trip, tripSchema } from "./suite.mjs";

const client = new Anthropic();
const messages = [{ role: "user", content: "Tell me about dragons." }];
const ask = { model: "smart", max_tokens: 200, messages };
const tool = { name: "weather", description: "Tells the weather.", input_schema: tripSchema };
const Trip = z.object({ city: z.string(), days: z.number().int().min(3) });

const create = (more) => client.messages.create({ ...ask, ...more });
const deltas = (events) => events.filter((event) => event.type === "content_block_delta").map((event) => event.delta);
const words = (events) => deltas(events).map((delta) => delta.text ?? "").join("");
const stops = (events) => events.filter((event) => event.type === "message_delta").map((event) => event.delta.stop_reason);

function said({ content }) {
  assert.deepEqual(content.map((block) => block.type), ["text"]);
  return content[0].text;
}

async function stream(more) {
  const events = [];
  await gather(await create({ stream: true, ...more }), events);
  return events;
}

check("plain", async () => {
  const message = await create();
  assert.deepEqual([said(message), message.stop_reason, message.role], [expected.text, "end_turn", "assistant"]);
  assert.equal(message.usage.output_tokens, expected.tokens);
  assert.ok(message.usage.input_tokens > 0);
});

check("streamed", async () => {
  const events = await stream();
  assert.deepEqual([words(events), stops(events)], [expected.text, ["end_turn"]]);
  const kinds = events.map((event) => event.type).filter((kind) => kind !== "content_block_delta");
  assert.deepEqual(kinds, ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]);
  assert.equal(events.at(-2).usage.output_tokens, expected.tokens);
});

check("streamed by the helper", async () => {
  const runner = client.messages.stream(ask);
  let heard = "";
  runner.on("text", (delta) => (heard += delta));
  const message = await runner.finalMessage();
  assert.deepEqual([said(message), message.stop_reason, heard], [expected.text, "end_turn", expected.text]);
  assert.equal(message.usage.output_tokens, expected.tokens);
});

check("tools", async () => {
  const message = await create({ tools: [tool] });
  assert.equal(message.stop_reason, "tool_use");
  const [use] = message.content;
  assert.deepEqual([use.type, use.name, use.input], ["tool_use", "weather", trip]);
  const result = { type: "tool_result", tool_use_id: use.id, content: "sunny" };
  const turns = [{ role: "assistant", content: message.content }, { role: "user", content: [result] }];
  assert.equal(said(await create({ tools: [tool], messages: [...messages, ...turns] })), expected.text);
});

check("tools streamed", async () => {
  const events = await stream({ tools: [tool] });
  assert.deepEqual(JSON.parse(deltas(events).map((delta) => delta.partial_json).join("")), trip);
  assert.deepEqual(stops(events), ["tool_use"]);
});

check("tools by the helper", async () => {
  const message = await client.messages.stream({ ...ask, tools: [tool] }).finalMessage();
  const [use] = message.content;
  assert.deepEqual([use.name, use.input, message.stop_reason], ["weather", trip, "tool_use"]);
});

check("tools run by the helper", async () => {
  const asked = [];
  const run = (input) => (asked.push(input), "sunny");
  const weather = betaZodTool({ name: "weather", description: "Tells the weather.", inputSchema: Trip, run });
  const message = await client.beta.messages.toolRunner({ ...ask, tools: [weather], thread: false });
  assert.deepEqual([said(message), asked], [expected.text, [trip]]);
});

check("structured by schema", async () => {
  const output_config = { format: { type: "json_schema", schema: tripSchema } };
  assert.deepEqual(JSON.parse(said(await create({ output_config }))), trip);
});

check("structured by zod", async () => {
  const output_config = { format: zodOutputFormat(Trip) };
  assert.deepEqual((await client.messages.parse({ ...ask, output_config })).parsed_output, trip);
  const message = await client.messages.stream({ ...ask, output_config }).finalMessage();
  assert.deepEqual(message.parsed_output, trip);
});

check("system prompt", async () => {
  for (const system of [expected.system, [{ type: "text", text: expected.system }]]) {
    assert.equal(said(await create({ system })), expected.text);
  }
});

check("stop sequence", async () => {
  if (expected.vendor === "openai_responses") {
    // it has no word for them, and nobody pretends otherwise
    const error = await failure(Anthropic.BadRequestError, () => create({ stop_sequences: [expected.stop] }));
    return assert.match(error.message, /stop/);
  }
  // OpenAI's dialect does not say that it was a stop sequence that ended the answer, or which
  const end = expected.vendor === "anthropic" ? ["stop_sequence", expected.stop] : ["end_turn", null];
  const asked = { ...ask, stop_sequences: [expected.stop] };
  for (const message of [await create(asked), await client.messages.stream(asked).finalMessage()]) {
    assert.deepEqual([said(message), message.stop_reason, message.stop_sequence], [expected.before_stop, ...end]);
  }
});

check("model listing", async () => {
  const models = [];
  await gather(client.models.list(), models);
  const names = models.map((model) => model.id);
  assert.ok(names.includes("smart") && names.includes("down"), names);
});

check("wrong key", async () => {
  const stranger = new Anthropic({ apiKey: "sk-of-nobody" });
  for (const stream of [false, true]) {
    const error = await failure(Anthropic.AuthenticationError, () => stranger.messages.create({ ...ask, stream }));
    assert.equal(error.error.error.type, "authentication_error");
  }
});

check("unknown model", async () => {
  const error = await failure(Anthropic.NotFoundError, () => create({ model: "smrat" }));
  assert.equal(error.error.error.type, "not_found_error");
});

check("bad request", async () => {
  for (const stream of [false, true]) {
    const error = await failure(Anthropic.BadRequestError, () => create({ model: "bad-request", stream }));
    assert.equal(error.error.error.type, "invalid_request_error");
  }
});

check("everybody down", async () => {
  for (const stream of [false, true]) {
    const error = await failure(Anthropic.InternalServerError, () => create({ model: "down", stream }));
    assert.equal(error.status, 503);
  }
});

check("failover", async () => {
  for (const model of ["resets", "fails", "errs"]) {
    assert.equal(said(await create({ model })), expected.text);
    const events = await stream({ model });
    assert.deepEqual([words(events), stops(events), events.at(-1).type], [expected.text, ["end_turn"], "message_stop"]);
  }
});

check("held answer", async () => {
  // the proxy has answered 200 and keeps the client awake before it knows who will serve, or that nobody will
  assert.equal(words(await stream({ model: "silent" })), expected.text);
  assert.equal(said(await client.messages.stream({ ...ask, model: "silent" }).finalMessage()), expected.text);
  const held = await create({ model: "silence", stream: true });
  const error = await failure(Anthropic.APIError, () => gather(held, []));
  assert.equal(error.error?.type, "error");
});

check("broken stream", async () => {
  for (const model of ["cut", "error-late"]) {
    const events = [];
    const error = await failure(Anthropic.APIError, async () => gather(await create({ model, stream: true }), events));
    // the proxy's word, not merely a broken connection
    assert.equal(error.error?.type, "error");
    isPart(words(events));
    assert.ok(!events.some((event) => event.type === "message_delta" || event.type === "message_stop"));
  }
});

check("broken stream by the helper", async () => {
  await failure(Anthropic.APIError, () => client.messages.stream({ ...ask, model: "cut" }).finalMessage());
});

await main();
