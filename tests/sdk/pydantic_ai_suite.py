"""Pydantic AI's models of several vendors against the proxy. Address, key and authority come from the environment alone."""

import asyncio
import sys
import traceback

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from suite import SYSTEM, TEXT, equal

QUESTION = "Tell me about dragons."
MODELS = {"openai_chat": OpenAIChatModel, "anthropic": AnthropicModel}


class Trip(BaseModel):
    city: str
    days: int


TRIP = Trip(city="Lisbon", days=3)


async def plain(model):
    result = await Agent(model("smart"), system_prompt=SYSTEM).run(QUESTION)
    equal(result.output, TEXT)
    assert result.usage.output_tokens > 0


async def streamed(model):
    async with Agent(model("smart")).run_stream(QUESTION) as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
    equal("".join(pieces), TEXT)
    assert len(pieces) > 1


async def tools(model):
    asked = []
    agent = Agent(model("smart"))

    @agent.tool_plain
    def weather(city: str, days: int) -> str:
        """The weather in a city for some days."""
        asked.append(Trip(city=city, days=days))
        return "sunny"

    result = await agent.run(QUESTION)
    equal((result.output, asked), (TEXT, [TRIP]))


async def structured(model):
    result = await Agent(model("smart"), output_type=Trip).run(QUESTION)
    equal(result.output, TRIP)


async def failover(model):
    for name in ("resets", "fails", "errs"):
        result = await Agent(model(name)).run(QUESTION)
        equal(result.output, TEXT)


async def main():
    failed = False
    for dialect, model in MODELS.items():
        for steps in (plain, streamed, tools, structured, failover):
            name = f"{steps.__name__}, {dialect}"
            try:
                await steps(model)
                print(f"ok {name}", flush=True)
            except Exception:
                failed = True
                print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
