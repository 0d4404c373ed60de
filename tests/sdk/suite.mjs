// What both Node suites share: what to expect, how a check runs, how it is reported.

import assert from "node:assert/strict";

// the simulated vendor: its dialect, its words, their number, a stop sequence among them and what comes before it
export const expected = JSON.parse(process.env.BACKSTAY_EXPECT);
export const trip = { city: "Lisbon", days: 3 };
export const tripSchema = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false,
};

const checks = [];

export function check(name, steps) {
  checks.push([name, steps]);
}

// Appends everything that a stream gives, as far as it comes.
export async function gather(stream, into) {
  for await (const item of stream) into.push(item);
}

// The error of `kind` that `steps` must end with.
export async function failure(kind, steps) {
  try {
    await steps();
  } catch (error) {
    assert.ok(error instanceof kind, `${error?.constructor?.name} instead of ${kind.name}: ${error?.stack}`);
    return error;
  }
  assert.fail(`no ${kind.name} was thrown`);
}

// `words` are a beginning of the answer, and not all of it.
export function isPart(words) {
  assert.ok(words !== "" && words !== expected.text && expected.text.startsWith(words), words);
}

// Runs every check; one line for each, and a status that says whether all went well.
export async function main() {
  for (const [name, steps] of checks) {
    try {
      await steps();
      console.log(`ok ${name}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`FAILED ${name}\n${error?.stack ?? error}`);
    }
  }
}
