// Google's Node SDK against the proxy. Address, key and authority come from the environment alone.

import assert from "node:assert/strict";
import { ApiError, FunctionCallingConfigMode, GoogleGenAI } from "@google/genai";
import { check, expected, failure, gather, isPart, main, trip, tripSchema } from "./suite.mjs";

const client = new GoogleGenAI({});
const ask = { model: "smart", contents: "Tell me about dragons." };
const functionDeclarations = [{ name: "weather", description: "Tells the weather.", parametersJsonSchema: tripSchema }];
const tools = [{ functionDeclarations }];

const generate = (more) => client.models.generateContent({ ...ask, ...more });
const words = (chunks) =>
  chunks.flatMap((chunk) => chunk.candidates[0].content?.parts ?? []).map((part) => part.text ?? "").join("");
const finishes = (chunks) => chunks.map((chunk) => chunk.candidates[0].finishReason).filter(Boolean);

async function stream(more) {
  const chunks = [];
  await gather(await client.models.generateContentStream({ ...ask, ...more }), chunks);
  return chunks;
}

check("plain", async () => {
  const answer = await generate();
  assert.deepEqual([answer.text, answer.candidates[0].finishReason], [expected.text, "STOP"]);
  assert.equal(answer.usageMetadata.candidatesTokenCount, expected.tokens);
  assert.ok(answer.responseId && answer.modelVersion);
});

check("streamed", async () => {
  const chunks = await stream();
  assert.deepEqual([words(chunks), finishes(chunks)], [expected.text, ["STOP"]]);
  assert.equal(chunks.at(-1).usageMetadata.candidatesTokenCount, expected.tokens);
});

check("tools", async () => {
  const answer = await generate({ config: { tools } });
  const [call] = answer.functionCalls;
  assert.deepEqual([call.name, call.args], ["weather", trip]);
  const functionResponse = { id: call.id, name: call.name, response: { output: "sunny" } };
  const contents = [
    { role: "user", parts: [{ text: ask.contents }] },
    answer.candidates[0].content,
    { role: "user", parts: [{ functionResponse }] },
  ];
  assert.equal((await generate({ contents, config: { tools } })).text, expected.text);
});

check("tools streamed", async () => {
  const chunks = await stream({ config: { tools } });
  const calls = chunks.flatMap((chunk) => chunk.functionCalls ?? []);
  assert.deepEqual(calls.map((call) => [call.name, call.args]), [["weather", trip]]);
});

check("tools forced", async () => {
  const functionCallingConfig = { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ["weather"] };
  const answer = await generate({ config: { tools, toolConfig: { functionCallingConfig } } });
  assert.equal(answer.functionCalls[0].name, "weather");
});

check("structured by JSON schema", async () => {
  const config = { responseMimeType: "application/json", responseJsonSchema: tripSchema };
  assert.deepEqual(JSON.parse((await generate({ config })).text), trip);
});

check("structured by Google's schema", async () => {
  const properties = { city: { type: "STRING" }, days: { type: "INTEGER" } };
  const responseSchema = { type: "OBJECT", properties, required: ["city", "days"] };
  const config = { responseMimeType: "application/json", responseSchema };
  assert.deepEqual(JSON.parse((await generate({ config })).text), trip);
});

check("chat", async () => {
  const chat = client.chats.create({ model: "smart" });
  for (let turn = 0; turn < 2; turn++) {
    assert.equal((await chat.sendMessage({ message: ask.contents })).text, expected.text);
  }
});

check("system prompt", async () => {
  for (let turn = 0; turn < 2; turn++) {
    assert.equal((await generate({ config: { systemInstruction: expected.system } })).text, expected.text);
  }
});

check("stop sequence", async () => {
  const answer = await generate({ config: { stopSequences: [expected.stop] } });
  assert.deepEqual([answer.text, answer.candidates[0].finishReason], [expected.before_stop, "STOP"]);
});

check("tokens counted", async () => {
  const count = () => client.models.countTokens(ask);
  if (expected.vendor === "openai_chat") await failure(ApiError, count);
  else assert.ok((await count()).totalTokens > 0);
});

check("embedded", async () => {
  const embed = () => client.models.embedContent({ model: "smart", contents: ["four", "eleven more"] });
  if (expected.vendor === "anthropic") {
    await failure(ApiError, embed);
    return;
  }
  // the simulated vendors' own vectors
  const gemini = [[4, 0.25, -0.5], [11, 0.25, -0.5]];
  const vectors = expected.vendor === "gemini" ? gemini : [[0.5, -0.25, 1], [0.5, -0.25, 1]];
  const { embeddings } = await embed();
  assert.deepEqual(embeddings.map(({ values }) => values), vectors);
});

check("one model", async () => {
  assert.equal((await client.models.get({ model: "smart" })).name, "models/smart");
});

check("wrong key", async () => {
  const stranger = new GoogleGenAI({ apiKey: "sk-of-nobody" });
  assert.equal((await failure(ApiError, () => stranger.models.generateContent(ask))).status, 401);
});

check("unknown model", async () => {
  assert.equal((await failure(ApiError, () => generate({ model: "smrat" }))).status, 404);
});

check("bad request", async () => {
  for (const call of [generate, stream]) {
    assert.equal((await failure(ApiError, () => call({ model: "bad-request" }))).status, 400);
  }
});

check("everybody down", async () => {
  for (const call of [generate, stream]) {
    assert.equal((await failure(ApiError, () => call({ model: "down" }))).status, 503);
  }
});

check("failover", async () => {
  for (const model of ["resets", "fails", "errs"]) {
    const chunks = await stream({ model });
    assert.deepEqual([words(chunks), finishes(chunks)], [expected.text, ["STOP"]]);
  }
  for (const model of ["resets", "fails", "errs"]) assert.equal((await generate({ model })).text, expected.text);
});

check("held answer", async () => {
  for (let turn = 0; turn < 2; turn++) {
    const chunks = await stream({ model: "silent" });
    assert.deepEqual([words(chunks), finishes(chunks)], [expected.text, ["STOP"]]);
  }
});

check("broken stream", async () => {
  for (const model of ["cut", "error-late"]) {
    const chunks = [];
    await failure(Error, async () => gather(await client.models.generateContentStream({ ...ask, model }), chunks));
    isPart(words(chunks));
    assert.deepEqual(finishes(chunks), []);
  }
});

await main();
