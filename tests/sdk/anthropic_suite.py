"""Anthropic's Python SDK against the proxy. Address, key and authority come from the environment alone."""

import json

import anthropic
from pydantic import BaseModel
from suite import BEFORE_STOP, STOP, SYSTEM, TEXT, TOKENS, VENDOR, check, equal, gather, main, raises, through

ASK = {"max_tokens": 200, "messages": [{"role": "user", "content": "Tell me about dragons."}]}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOL = {"name": "weather", "description": "Tells the weather.", "input_schema": SCHEMA}


class Trip(BaseModel):
    city: str
    days: int


TRIP = Trip(city="Lisbon", days=3)


def said(message):
    (block,) = message.content
    equal(block.type, "text")
    return block.text


def words(events):
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    return "".join(delta.text for delta in deltas if delta.type == "text_delta")


def stops(events):
    return [event.delta.stop_reason for event in events if event.type == "message_delta"]


@check
def plain(client):
    message = yield client.messages.create(model="smart", **ASK)
    equal((message.type, message.role), ("message", "assistant"))
    equal((said(message), message.stop_reason), (TEXT, "end_turn"))
    equal(message.usage.output_tokens, TOKENS)
    assert message.usage.input_tokens > 0 and message.id


@check
def streamed(client):
    events = []
    stream = yield client.messages.create(model="smart", stream=True, **ASK)
    yield gather(stream, events)
    equal((words(events), stops(events)), (TEXT, ["end_turn"]))
    kinds = [event.type for event in events if event.type != "content_block_delta"]
    equal(kinds, ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"])
    equal(events[-2].usage.output_tokens, TOKENS)


@check
def streamed_by_the_helper(client):
    events = []
    helper = client.messages.stream(model="smart", **ASK)
    message = yield through(helper, events, lambda stream: stream.get_final_message())
    equal((said(message), message.stop_reason), (TEXT, "end_turn"))
    equal("".join(event.text for event in events if event.type == "text"), TEXT)
    equal(message.usage.output_tokens, TOKENS)
    assert message.usage.input_tokens > 0, message.usage


@check
def tools(client):
    message = yield client.messages.create(model="smart", tools=[TOOL], tool_choice={"type": "auto"}, **ASK)
    equal(message.stop_reason, "tool_use")
    (use,) = [block for block in message.content if block.type == "tool_use"]
    equal((use.type, use.name, use.input), ("tool_use", "weather", TRIP.model_dump()))
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "sunny"}
    turns = [{"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
    message = yield client.messages.create(
        model="smart", max_tokens=200, tools=[TOOL], messages=[*ASK["messages"], *turns]
    )
    equal((said(message), message.stop_reason), (TEXT, "end_turn"))


@check
def tools_streamed(client):
    events = []
    stream = yield client.messages.create(model="smart", tools=[TOOL], stream=True, **ASK)
    yield gather(stream, events)
    begun = [event.content_block for event in events if event.type == "content_block_start"]
    (start,) = [block for block in begun if block.type == "tool_use"]
    equal((start.type, start.name, start.input), ("tool_use", "weather", {}))
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    pieces = [delta.partial_json for delta in deltas if delta.type == "input_json_delta"]
    equal(json.loads("".join(pieces)), TRIP.model_dump())
    equal(stops(events), ["tool_use"])


@check
def tools_by_the_helper(client):
    helper = client.messages.stream(model="smart", tools=[TOOL], **ASK)
    message = yield through(helper, [], lambda stream: stream.get_final_message())
    (use,) = [block for block in message.content if block.type == "tool_use"]
    equal((use.name, use.input, message.stop_reason), ("weather", TRIP.model_dump(), "tool_use"))


def runner(client, calls, **more):
    """The helper that runs tools until there is an answer; it notes in `calls` what they were asked."""

    def weather(city: str, days: int) -> str:
        """Tells the weather."""
        calls.append((city, days))
        return "sunny"

    async def weather_later(city: str, days: int) -> str:
        """Tells the weather."""
        return weather(city, days)

    if isinstance(client, anthropic.AsyncAnthropic):
        tool = anthropic.beta_async_tool(weather_later, name="weather")
    else:
        tool = anthropic.beta_tool(weather)
    return client.beta.messages.tool_runner(model="smart", tools=[tool], **ASK, **more)


@check
def tools_run_by_the_helper(client):
    calls = []
    message = yield runner(client, calls, thread=False).until_done()
    equal((said(message), calls), (TEXT, [("Lisbon", 3)]))


@check
def tools_run_with_the_conversation_left_at_the_vendor(client):
    calls = []
    if VENDOR == "anthropic":
        message = yield runner(client, calls).until_done()
        equal((said(message), calls), (TEXT, [("Lisbon", 3)]))
    else:
        # the vendor could not continue it: refused at once, not answered without what went before
        with raises(anthropic.BadRequestError) as caught:
            yield runner(client, calls).until_done()
        assert "`store`" in str(caught.error), caught.error


@check
def structured_by_schema(client):
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}
    message = yield client.messages.create(model="smart", output_config=form, **ASK)
    equal(json.loads(said(message)), TRIP.model_dump())


@check
def structured_by_class(client):
    message = yield client.messages.parse(model="smart", output_format=Trip, **ASK)
    equal(message.parsed_output, TRIP)


@check
def structured_by_the_helper(client):
    helper = client.messages.stream(model="smart", output_format=Trip, **ASK)
    message = yield through(helper, [], lambda stream: stream.get_final_message())
    equal(message.parsed_output, TRIP)


@check
def system_prompt(client):
    for system in (SYSTEM, [{"type": "text", "text": SYSTEM}]):
        message = yield client.messages.create(model="smart", system=system, **ASK)
        equal(said(message), TEXT)


@check
def stop_sequence(client):
    if VENDOR == "openai_responses":
        # it has no word for them, and nobody pretends otherwise
        with raises(anthropic.BadRequestError) as caught:
            yield client.messages.create(model="smart", stop_sequences=[STOP], **ASK)
        assert "stop" in caught.error.message, caught.error
        return
    message = yield client.messages.create(model="smart", stop_sequences=[STOP], **ASK)
    # OpenAI's dialect does not say that it was a stop sequence that ended the answer, or which
    wanted = ("stop_sequence", STOP) if VENDOR == "anthropic" else ("end_turn", None)
    equal((said(message), message.stop_reason, message.stop_sequence), (BEFORE_STOP, *wanted))
    helper = client.messages.stream(model="smart", stop_sequences=[STOP], **ASK)
    message = yield through(helper, [], lambda stream: stream.get_final_message())
    equal((said(message), message.stop_reason, message.stop_sequence), (BEFORE_STOP, *wanted))


@check
def beta_features(client):
    message = yield client.beta.messages.create(model="smart", betas=["context-management-2025-06-27"], **ASK)
    equal(said(message), TEXT)


@check
def parameters(client):
    message = yield client.messages.create(
        model="smart", metadata={"user_id": "somebody"}, extra_body={"temperature": 0.5}, **ASK
    )
    equal(said(message), TEXT)


@check
def model_listing(client):
    models = []
    yield gather(client.models.list(), models)
    assert {"smart", "down"} <= {model.id for model in models}, models
    assert all(model.type == "model" and model.display_name and model.created_at for model in models), models


@check
def wrong_key(client):
    stranger = client.with_options(api_key="sk-of-nobody")
    with raises(anthropic.AuthenticationError) as caught:
        yield stranger.messages.create(model="smart", **ASK)
    equal((caught.error.status_code, caught.error.body["error"]["type"]), (401, "authentication_error"))
    with raises(anthropic.AuthenticationError):
        yield stranger.messages.create(model="smart", stream=True, **ASK)


@check
def unknown_model(client):
    with raises(anthropic.NotFoundError) as caught:
        yield client.messages.create(model="smrat", **ASK)
    equal((caught.error.status_code, caught.error.body["error"]["type"]), (404, "not_found_error"))


@check
def bad_request(client):
    for stream in (False, True):
        with raises(anthropic.BadRequestError) as caught:
            yield client.messages.create(model="bad-request", stream=stream, **ASK)
        equal(caught.error.body["error"]["type"], "invalid_request_error")


@check
def everybody_down(client):
    for stream in (False, True):
        with raises(anthropic.InternalServerError) as caught:
            yield client.messages.create(model="down", stream=stream, **ASK)
        equal(caught.error.status_code, 503)


@check
def failover(client):
    for model in ("resets", "fails", "errs"):
        message = yield client.messages.create(model=model, **ASK)
        equal(said(message), TEXT)
        events = []
        stream = yield client.messages.create(model=model, stream=True, **ASK)
        yield gather(stream, events)
        equal((words(events), stops(events), events[-1].type), (TEXT, ["end_turn"], "message_stop"))


@check
def held_answer(client):
    # the proxy has answered 200 and keeps the client awake before it knows who will serve, or that nobody will
    events = []
    stream = yield client.messages.create(model="silent", stream=True, **ASK)
    yield gather(stream, events)
    equal((words(events), stops(events)), (TEXT, ["end_turn"]))
    message = yield through(client.messages.stream(model="silent", **ASK), [], lambda stream: stream.get_final_message())
    equal(said(message), TEXT)
    stream = yield client.messages.create(model="silence", stream=True, **ASK)
    with raises(anthropic.APIStatusError) as caught:
        yield gather(stream, [])
    equal(caught.error.body["type"], "error")


@check
def broken_stream(client):
    for model in ("cut", "error-late"):
        events = []
        stream = yield client.messages.create(model=model, stream=True, **ASK)
        with raises(anthropic.APIStatusError) as caught:
            yield gather(stream, events)
        # the proxy's word, not merely a broken connection
        equal(caught.error.body["type"], "error")
        assert words(events) and TEXT.startswith(words(events)) and words(events) != TEXT, words(events)
        equal((stops(events), [event for event in events if event.type == "message_stop"]), ([], []))


@check
def broken_stream_by_the_helper(client):
    with raises(anthropic.APIStatusError):
        yield through(client.messages.stream(model="cut", **ASK), [], lambda stream: stream.get_final_message())


if __name__ == "__main__":
    main(anthropic.Anthropic, anthropic.AsyncAnthropic)
