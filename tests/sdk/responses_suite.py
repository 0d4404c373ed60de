"""OpenAI's Python SDK against the proxy's Responses API. Address, key and authority come from the environment alone."""

import json

import openai
from pydantic import BaseModel
from suite import SYSTEM, TEXT, TOKENS, VENDOR, check, equal, gather, main, raises, through

QUESTION = "Tell me about dragons."
TOOL = {
    "type": "function",
    "name": "weather",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}
SEQUENCE = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


class Trip(BaseModel):
    city: str
    days: int


TRIP = Trip(city="Lisbon", days=3)


def words(events):
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def whole(response):
    equal((response.status, response.object, response.error), ("completed", "response", None))
    equal(response.incomplete_details, None)
    equal(response.usage.total_tokens, response.usage.input_tokens + response.usage.output_tokens)
    assert response.id and response.model and response.created_at > 0
    return response


def in_order(events):
    """The events come in the vendor's own sequence, numbered, and what is done repeats what came in pieces."""
    kinds = [event.type for event in events]
    equal([kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind], SEQUENCE)
    equal([event.sequence_number for event in events], list(range(len(events))))
    equal({event.output_index for event in events if hasattr(event, "output_index")}, {0})
    (done,) = [event for event in events if event.type == "response.output_item.done"]
    equal(done.item.model_dump(), events[-1].response.output[0].model_dump())
    equal(len({event.item_id for event in events if hasattr(event, "item_id")} | {done.item.id}), 1)


@check
def plain(client):
    response = whole((yield client.responses.create(model="smart", input=QUESTION)))
    equal((response.output_text, response.usage.output_tokens), (TEXT, TOKENS))
    (message,) = response.output
    equal((message.type, message.role, message.status), ("message", "assistant", "completed"))


@check
def not_kept(client):
    response = yield client.responses.create(model="smart", input=QUESTION, store=False)
    equal((whole(response).output_text, response.store), (TEXT, False))


@check
def streamed(client):
    events = []
    stream = yield client.responses.create(model="smart", input=QUESTION, stream=True)
    yield gather(stream, events)
    equal(words(events), TEXT)
    in_order(events)
    response = whole(events[-1].response)
    equal((response.output_text, response.usage.output_tokens), (TEXT, TOKENS))
    equal(len({event.response.id for event in events if hasattr(event, "response")}), 1)


@check
def streamed_by_the_helper(client):
    events = []
    helper = client.responses.stream(model="smart", input=QUESTION)
    response = yield through(helper, events, lambda stream: stream.get_final_response())
    equal((response.output_text, words(events)), (TEXT, TEXT))
    equal([event.text for event in events if event.type == "response.output_text.done"], [TEXT])


@check
def tools(client):
    response = whole((yield client.responses.create(model="smart", input=QUESTION, tools=[TOOL], tool_choice="auto")))
    (call,) = response.output
    equal((call.type, call.name, json.loads(call.arguments)), ("function_call", "weather", TRIP.model_dump()))
    assert call.call_id and call.id and call.call_id != call.id
    turns = [{"role": "user", "content": QUESTION}, *response.output]
    turns.append({"type": "function_call_output", "call_id": call.call_id, "output": "sunny"})
    response = yield client.responses.create(model="smart", input=turns, tools=[TOOL])
    equal(whole(response).output_text, TEXT)


@check
def tools_streamed(client):
    events = []
    stream = yield client.responses.create(model="smart", input=QUESTION, tools=[TOOL], stream=True)
    yield gather(stream, events)
    pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    (done,) = [event for event in events if event.type == "response.function_call_arguments.done"]
    (item,) = [event.item for event in events if event.type == "response.output_item.done"]
    equal(("".join(pieces), done.item_id, item.arguments), (done.arguments, item.id, done.arguments))
    equal((item.name, json.loads(item.arguments)), ("weather", TRIP.model_dump()))
    equal(whole(events[-1].response).output[0].call_id, item.call_id)


@check
def tools_by_the_helper(client):
    tool = openai.pydantic_function_tool(Trip, name="book")["function"]
    events = []
    helper = client.responses.stream(model="smart", input=QUESTION, tools=[{"type": "function", **tool}])
    response = yield through(helper, events, lambda stream: stream.get_final_response())
    (call,) = response.output
    equal((call.name, json.loads(call.arguments)), ("book", TRIP.model_dump()))


@check
def tool_results_with_images(client):
    picture = {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"}
    turns = [
        {"role": "user", "content": QUESTION},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "see"}, picture]},
    ]
    try:
        response = yield client.responses.create(model="smart", input=turns, tools=[TOOL])
    except openai.BadRequestError as error:
        # some vendors take images from the user alone, and nobody pretends otherwise
        assert "tool_result_images" in error.message, error
    else:
        equal(whole(response).output_text, TEXT)


@check
def structured_by_schema(client):
    form = {"type": "json_schema", "name": "trip", "strict": True, "schema": TOOL["parameters"]}
    response = yield client.responses.create(model="smart", input=QUESTION, text={"format": form})
    equal(json.loads(whole(response).output_text), TRIP.model_dump())


@check
def structured_by_class(client):
    response = yield client.responses.parse(model="smart", input=QUESTION, text_format=Trip)
    equal(response.output_parsed, TRIP)


@check
def structured_by_the_helper(client):
    helper = client.responses.stream(model="smart", input=QUESTION, text_format=Trip)
    response = yield through(helper, [], lambda stream: stream.get_final_response())
    equal(response.output_parsed, TRIP)


@check
def system_prompt(client):
    response = yield client.responses.create(model="smart", input=QUESTION, instructions=SYSTEM)
    equal(whole(response).output_text, TEXT)
    for role in ("system", "developer"):
        turns = [{"role": role, "content": SYSTEM}, {"role": "user", "content": QUESTION}]
        response = yield client.responses.create(model="smart", input=turns)
        equal(whole(response).output_text, TEXT)


@check
def parameters(client):
    response = yield client.responses.create(
        model="smart",
        input=QUESTION,
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=100,
        user="somebody",
        include=["reasoning.encrypted_content"],
        prompt_cache_key="key",
    )
    equal(whole(response).output_text, TEXT)


@check
def settings_are_told_again(client):
    asked = {
        "instructions": SYSTEM,
        "max_output_tokens": 100,
        "metadata": {"team": "a"},
        "parallel_tool_calls": True,
        "temperature": 0.5,
        "tool_choice": "auto",
        "tools": [TOOL],
        "top_p": 0.9,
        "truncation": "disabled",
    }
    if VENDOR == "openai_responses":
        return  # what a vendor of the same dialect says passes as it is
    response = yield client.responses.create(model="smart", input=QUESTION, store=False, **asked)
    events = []
    stream = yield client.responses.create(model="smart", input=QUESTION, store=False, stream=True, **asked)
    yield gather(stream, events)
    told = [event.response for event in events if hasattr(event, "response")]
    equal(len(told), 3)
    for response in (response, *told):
        seen = response.model_dump(exclude_unset=True)
        equal({name: seen[name] for name in asked}, asked)
        equal((response.store, response.previous_response_id), (False, None))


@check
def wrong_key(client):
    stranger = client.with_options(api_key="sk-of-nobody")
    for stream in (False, True):
        with raises(openai.AuthenticationError) as caught:
            yield stranger.responses.create(model="smart", input=QUESTION, stream=stream)
        equal(caught.error.status_code, 401)


@check
def unknown_model(client):
    with raises(openai.NotFoundError) as caught:
        yield client.responses.create(model="smrat", input=QUESTION)
    equal((caught.error.status_code, caught.error.code), (404, "model_not_found"))


@check
def bad_request(client):
    for stream in (False, True):
        with raises(openai.BadRequestError) as caught:
            yield client.responses.create(model="bad-request", input=QUESTION, stream=stream)
        assert caught.error.message and caught.error.type == "invalid_request_error", caught.error


@check
def everybody_down(client):
    for stream in (False, True):
        with raises(openai.InternalServerError) as caught:
            yield client.responses.create(model="down", input=QUESTION, stream=stream)
        equal(caught.error.status_code, 503)


@check
def failover(client):
    for model in ("resets", "fails", "errs"):
        response = yield client.responses.create(model=model, input=QUESTION)
        equal(whole(response).output_text, TEXT)
        events = []
        stream = yield client.responses.create(model=model, input=QUESTION, stream=True)
        yield gather(stream, events)
        equal(words(events), TEXT)
        in_order(events)


@check
def held_answer(client):
    # the proxy has answered 200 and keeps the client awake before it knows who will serve, or that nobody will
    events = []
    stream = yield client.responses.create(model="silent", input=QUESTION, stream=True)
    yield gather(stream, events)
    equal(words(events), TEXT)
    stream = yield client.responses.create(model="silence", input=QUESTION, stream=True)
    with raises(openai.APIError) as caught:
        yield gather(stream, [])
    assert caught.error.code, caught.error


@check
def broken_stream(client):
    for model in ("cut", "error-late"):
        events = []
        stream = yield client.responses.create(model=model, input=QUESTION, stream=True)
        with raises(openai.APIError) as caught:
            yield gather(stream, events)
        # the proxy's word, not merely a broken connection
        assert caught.error.code, caught.error
        assert words(events) and TEXT.startswith(words(events)) and words(events) != TEXT, words(events)
        assert all(event.type != "response.completed" for event in events)


@check
def broken_stream_by_the_helper(client):
    with raises(openai.APIError):
        helper = client.responses.stream(model="cut", input=QUESTION)
        yield through(helper, [], lambda stream: stream.get_final_response())


if __name__ == "__main__":
    main(openai.OpenAI, openai.AsyncOpenAI)
