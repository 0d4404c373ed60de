"""OpenAI's Python SDK against the proxy. Address, key and authority come from the environment alone."""

import json

import openai
from pydantic import BaseModel
from suite import BEFORE_STOP, STOP, SYSTEM, TEXT, TOKENS, VENDOR, check, equal, gather, main, raises, through

QUESTION = [{"role": "user", "content": "Tell me about dragons."}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}


class Trip(BaseModel):
    city: str
    days: int


TRIP = Trip(city="Lisbon", days=3)


def words(chunks):
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def finishes(chunks):
    return [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]


@check
def plain(client):
    reply = yield client.chat.completions.create(model="smart", messages=QUESTION)
    equal((reply.choices[0].message.content, reply.choices[0].finish_reason), (TEXT, "stop"))
    equal(reply.object, "chat.completion")
    equal(reply.usage.completion_tokens, TOKENS)
    equal(reply.usage.total_tokens, reply.usage.prompt_tokens + TOKENS)
    assert reply.usage.prompt_tokens > 0 and reply.id


@check
def streamed(client):
    chunks = []
    stream = yield client.chat.completions.create(model="smart", messages=QUESTION, stream=True)
    yield gather(stream, chunks)
    equal((words(chunks), finishes(chunks)), (TEXT, ["stop"]))
    equal([chunk.usage for chunk in chunks if chunk.usage], [])
    equal({chunk.object for chunk in chunks}, {"chat.completion.chunk"})
    equal(len({chunk.id for chunk in chunks}), 1)


@check
def streamed_with_usage(client):
    chunks = []
    stream = yield client.chat.completions.create(
        model="smart", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    yield gather(stream, chunks)
    equal(words(chunks), TEXT)
    equal([chunk.usage.completion_tokens for chunk in chunks if chunk.usage], [TOKENS])
    equal((chunks[-1].choices, chunks[-1].usage.prompt_tokens > 0), ([], True))


@check
def streamed_by_the_helper(client):
    events = []
    helper = client.chat.completions.stream(model="smart", messages=QUESTION)
    reply = yield through(helper, events, lambda stream: stream.get_final_completion())
    equal((reply.choices[0].message.content, reply.choices[0].finish_reason), (TEXT, "stop"))
    equal("".join(event.delta for event in events if event.type == "content.delta"), TEXT)
    equal([event.content for event in events if event.type == "content.done"], [TEXT])


@check
def tools(client):
    reply = yield client.chat.completions.create(model="smart", messages=QUESTION, tools=[TOOL], tool_choice="auto")
    equal(reply.choices[0].finish_reason, "tool_calls")
    message = reply.choices[0].message
    (call,) = message.tool_calls
    equal((call.type, call.function.name, json.loads(call.function.arguments)), ("function", "weather", TRIP.model_dump()))
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    reply = yield client.chat.completions.create(model="smart", messages=[*QUESTION, message, result], tools=[TOOL])
    equal((reply.choices[0].message.content, reply.choices[0].finish_reason), (TEXT, "stop"))


@check
def tools_streamed(client):
    chunks = []
    stream = yield client.chat.completions.create(model="smart", messages=QUESTION, tools=[TOOL], stream=True)
    yield gather(stream, chunks)
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
    equal({call.index for call in calls}, {0})
    equal([call.function.name for call in calls if call.function.name], ["weather"])
    assert calls[0].id and not any(call.id for call in calls[1:])
    equal(json.loads("".join(call.function.arguments or "" for call in calls)), TRIP.model_dump())
    equal(finishes(chunks), ["tool_calls"])


@check
def tools_by_the_helper(client):
    events = []
    helper = client.chat.completions.stream(
        model="smart", messages=QUESTION, tools=[openai.pydantic_function_tool(Trip, name="book")]
    )
    reply = yield through(helper, events, lambda stream: stream.get_final_completion())
    (call,) = reply.choices[0].message.tool_calls
    equal((call.function.name, call.function.parsed_arguments), ("book", TRIP))
    done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    equal([json.loads(event.arguments) for event in done], [TRIP.model_dump()])


@check
def structured_by_schema(client):
    schema = {"name": "trip", "strict": True, "schema": TOOL["function"]["parameters"]}
    reply = yield client.chat.completions.create(
        model="smart", messages=QUESTION, response_format={"type": "json_schema", "json_schema": schema}
    )
    equal(json.loads(reply.choices[0].message.content), TRIP.model_dump())


@check
def structured_by_class(client):
    reply = yield client.chat.completions.parse(model="smart", messages=QUESTION, response_format=Trip)
    equal(reply.choices[0].message.parsed, TRIP)


@check
def structured_by_the_helper(client):
    helper = client.chat.completions.stream(model="smart", messages=QUESTION, response_format=Trip)
    reply = yield through(helper, [], lambda stream: stream.get_final_completion())
    equal(reply.choices[0].message.parsed, TRIP)


@check
def system_prompt(client):
    for role in ("system", "developer"):
        messages = [{"role": role, "content": SYSTEM}, *QUESTION]
        reply = yield client.chat.completions.create(model="smart", messages=messages)
        equal(reply.choices[0].message.content, TEXT)


@check
def stop_sequence(client):
    if VENDOR == "openai_responses":
        # it has no word for them, and nobody pretends otherwise
        with raises(openai.BadRequestError) as caught:
            yield client.chat.completions.create(model="smart", messages=QUESTION, stop=[STOP])
        assert "stop" in caught.error.message, caught.error
        return
    reply = yield client.chat.completions.create(model="smart", messages=QUESTION, stop=[STOP])
    equal((reply.choices[0].message.content, reply.choices[0].finish_reason), (BEFORE_STOP, "stop"))
    chunks = []
    stream = yield client.chat.completions.create(model="smart", messages=QUESTION, stop=STOP, stream=True)
    yield gather(stream, chunks)
    equal((words(chunks), finishes(chunks)), (BEFORE_STOP, ["stop"]))


@check
def parameters(client):
    reply = yield client.chat.completions.create(
        model="smart", messages=QUESTION, temperature=0.5, top_p=0.9, max_completion_tokens=100, user="somebody"
    )
    equal(reply.choices[0].message.content, TEXT)


@check
def model_listing(client):
    models = []
    yield gather(client.models.list(), models)
    assert {"smart", "down"} <= {model.id for model in models}, models
    equal({model.object for model in models}, {"model"})


@check
def wrong_key(client):
    stranger = client.with_options(api_key="sk-of-nobody")
    with raises(openai.AuthenticationError) as caught:
        yield stranger.chat.completions.create(model="smart", messages=QUESTION)
    equal(caught.error.status_code, 401)
    with raises(openai.AuthenticationError):
        yield stranger.chat.completions.create(model="smart", messages=QUESTION, stream=True)


@check
def unknown_model(client):
    with raises(openai.NotFoundError) as caught:
        yield client.chat.completions.create(model="smrat", messages=QUESTION)
    equal((caught.error.status_code, caught.error.code), (404, "model_not_found"))


@check
def bad_request(client):
    for stream in (False, True):
        with raises(openai.BadRequestError) as caught:
            yield client.chat.completions.create(model="bad-request", messages=QUESTION, stream=stream)
        assert caught.error.message and caught.error.type == "invalid_request_error", caught.error


@check
def everybody_down(client):
    for stream in (False, True):
        with raises(openai.InternalServerError) as caught:
            yield client.chat.completions.create(model="down", messages=QUESTION, stream=stream)
        equal(caught.error.status_code, 503)


@check
def failover(client):
    for model in ("resets", "fails", "errs"):
        reply = yield client.chat.completions.create(model=model, messages=QUESTION)
        equal(reply.choices[0].message.content, TEXT)
        chunks = []
        stream = yield client.chat.completions.create(model=model, messages=QUESTION, stream=True)
        yield gather(stream, chunks)
        equal((words(chunks), finishes(chunks)), (TEXT, ["stop"]))


@check
def held_answer(client):
    # the proxy has answered 200 and keeps the client awake before it knows who will serve, or that nobody will
    chunks = []
    stream = yield client.chat.completions.create(model="silent", messages=QUESTION, stream=True)
    yield gather(stream, chunks)
    equal((words(chunks), finishes(chunks)), (TEXT, ["stop"]))
    stream = yield client.chat.completions.create(model="silence", messages=QUESTION, stream=True)
    with raises(openai.APIError) as caught:
        yield gather(stream, [])
    assert caught.error.code, caught.error


@check
def broken_stream(client):
    for model in ("cut", "error-late"):
        chunks = []
        stream = yield client.chat.completions.create(model=model, messages=QUESTION, stream=True)
        with raises(openai.APIError) as caught:
            yield gather(stream, chunks)
        # the proxy's word, not merely a broken connection
        assert caught.error.code, caught.error
        assert words(chunks) and TEXT.startswith(words(chunks)) and words(chunks) != TEXT, words(chunks)
        equal(finishes(chunks), [])


@check
def broken_stream_by_the_helper(client):
    with raises(openai.APIError):
        helper = client.chat.completions.stream(model="cut", messages=QUESTION)
        yield through(helper, [], lambda stream: stream.get_final_completion())


if __name__ == "__main__":
    main(openai.OpenAI, openai.AsyncOpenAI)
