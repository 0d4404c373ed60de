// Vercel's `ai` with its providers against the proxy. Address, key and authority come from the environment alone.

import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { Output, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { check, expected, main, trip, tripSchema } from "./suite.mjs";

const prompt = "Tell me about dragons.";
const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const anthropic = createAnthropic({ baseURL: `${process.env.ANTHROPIC_BASE_URL}/v1` });
const models = { openai_chat: (name) => openai.chat(name), anthropic: (name) => anthropic(name) };
const maxRetries = 0;

for (const [dialect, model] of Object.entries(models)) {
  check(`plain, ${dialect}`, async () => {
    const reply = await generateText({ model: model("smart"), prompt, maxRetries });
    assert.equal(reply.text, expected.text);
    assert.equal(reply.finishReason, "stop");
    assert.equal(reply.usage.outputTokens, expected.tokens);
  });

  check(`streamed, ${dialect}`, async () => {
    const reply = streamText({ model: model("smart"), prompt, maxRetries });
    const pieces = [];
    for await (const piece of reply.textStream) pieces.push(piece);
    assert.equal(pieces.join(""), expected.text);
    assert.ok(pieces.length > 1);
    assert.equal((await reply.usage).outputTokens, expected.tokens);
  });

  check(`tools, ${dialect}`, async () => {
    const asked = [];
    const weather = tool({
      description: "The weather in a city for some days",
      inputSchema: jsonSchema(tripSchema),
      execute: async (input) => {
        asked.push(input);
        return "sunny";
      },
    });
    const tools = { weather };
    const reply = await generateText({ model: model("smart"), prompt, tools, stopWhen: stepCountIs(2), maxRetries });
    assert.deepEqual(asked, [trip]);
    assert.equal(reply.text, expected.text);
  });

  check(`structured, ${dialect}`, async () => {
    const output = Output.object({ schema: jsonSchema(tripSchema) });
    const reply = await generateText({ model: model("smart"), prompt, output, maxRetries });
    assert.deepEqual(reply.output, trip);
  });

  check(`failover, ${dialect}`, async () => {
    for (const name of ["resets", "fails", "errs"]) {
      const reply = await generateText({ model: model(name), prompt, maxRetries });
      assert.equal(reply.text, expected.text);
    }
  });

  check(`a broken stream is an error, ${dialect}`, async () => {
    const errors = [];
    const reply = streamText({ model: model("cut"), prompt, maxRetries, onError: ({ error }) => errors.push(error) });
    let text = "";
    try {
      for await (const piece of reply.textStream) text += piece;
    } catch (error) {
      errors.push(error);
    }
    assert.ok(errors.length > 0 && expected.text.startsWith(text) && text !== expected.text, text);
  });
}

await main();
