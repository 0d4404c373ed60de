// A vendor of every dialect that nobody of this project wrote: says where it is, and ends with its input.
import { LLMock } from "@copilotkit/aimock";

const mock = new LLMock({ port: 0 });
mock.on({ userMessage: "weather", hasToolResult: true }, { content: "It rains in Oslo." });
mock.on(
  { userMessage: "weather", hasToolResult: false },
  { toolCalls: [{ name: "weather", arguments: JSON.stringify({ city: "Oslo" }) }] },
);
mock.on({ userMessage: "Hello" }, { content: "Hi there, this is a mock." });
await mock.start();
console.log(`at ${mock.url}`);
process.stdin.resume();
process.stdin.on("end", () => mock.stop().then(() => process.exit(0)));
