"""LangChain's OpenAI models against the proxy. Address, key and authority come from the environment alone."""

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel
from suite import SYSTEM, TEXT, TOKENS, check, equal, gather, main

QUESTION = [SystemMessage(SYSTEM), HumanMessage("Tell me about dragons.")]


class Trip(BaseModel):
    """A journey."""

    city: str
    days: int


TRIP = Trip(city="Lisbon", days=3)


@tool
def weather(city: str, days: int) -> str:
    """The weather in a city for some days."""
    return f"sunny in {city} for {days} days"


class Chain:
    """A model under the one interface that the checks use, awaited or not."""

    def __init__(self, awaited):
        self.awaited = awaited

    def model(self, name="smart", **settings):
        return ChatOpenAI(model=name, max_retries=0, **settings)

    def ask(self, runnable, messages):
        return runnable.ainvoke(messages) if self.awaited else runnable.invoke(messages)

    def stream(self, runnable, messages):
        return runnable.astream(messages) if self.awaited else runnable.stream(messages)


@check
def plain(chain):
    reply = yield chain.ask(chain.model(), QUESTION)
    equal((reply.content, reply.usage_metadata["output_tokens"]), (TEXT, TOKENS))


@check
def streamed(chain):
    chunks = []
    yield gather(chain.stream(chain.model(stream_usage=True), QUESTION), chunks)
    equal("".join(chunk.content for chunk in chunks), TEXT)
    equal(sum(chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata), TOKENS)


@check
def tools(chain):
    model = chain.model().bind_tools([weather])
    reply = yield chain.ask(model, QUESTION)
    (call,) = reply.tool_calls
    equal((call["name"], call["args"]), ("weather", TRIP.model_dump()))
    result = ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])
    reply = yield chain.ask(model, [*QUESTION, reply, result])
    equal(reply.content, TEXT)


@check
def structured(chain):
    for method in ("json_schema", "function_calling"):
        trip = yield chain.ask(chain.model().with_structured_output(Trip, method=method), QUESTION)
        equal(trip, TRIP)


@check
def failover(chain):
    for name in ("resets", "fails", "errs"):
        reply = yield chain.ask(chain.model(name), QUESTION)
        equal(reply.content, TEXT)


class Sync(Chain):
    def __init__(self, **_):
        super().__init__(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


class Async(Chain):
    def __init__(self, **_):
        super().__init__(True)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return False


if __name__ == "__main__":
    main(Sync, Async)
