"""Google's Python SDK against the proxy. Address, key and authority come from the environment alone."""

from google import genai
from google.genai import errors, types
from pydantic import BaseModel
from suite import BEFORE_STOP, STOP, SYSTEM, TEXT, TOKENS, VENDOR, check, equal, gather, main, raises

ASK = {"model": "smart", "contents": "Tell me about dragons."}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name="weather", description="Tells the weather.", parameters_json_schema=SCHEMA)
    ]
)
# the simulated vendors' own vectors
VECTORS = [[4.0, 0.25, -0.5], [11.0, 0.25, -0.5]] if VENDOR == "gemini" else [[0.5, -0.25, 1.0]] * 2
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)


class Trip(BaseModel):
    city: str
    days: int


TRIP = Trip(city="Lisbon", days=3)


def words(chunks):
    return "".join(part.text or "" for chunk in chunks for part in chunk.candidates[0].content.parts or [])


def finishes(chunks):
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks]
    return [reason.name for reason in reasons if reason]


@check
def plain(client):
    answer = yield client.models.generate_content(**ASK)
    equal((answer.text, answer.candidates[0].finish_reason.name), (TEXT, "STOP"))
    usage = answer.usage_metadata
    equal((usage.candidates_token_count, usage.total_token_count - usage.prompt_token_count), (TOKENS, TOKENS))
    assert answer.response_id and answer.model_version


def streamed_with(client, into, **more):
    """Gathers a stream: with the asynchronous client there is first something to wait for."""
    stream = yield client.models.generate_content_stream(**{**ASK, **more})
    yield gather(stream, into)


@check
def streamed(client):
    chunks = []
    yield from streamed_with(client, chunks)
    equal((words(chunks), finishes(chunks)), (TEXT, ["STOP"]))
    equal(chunks[-1].usage_metadata.candidates_token_count, TOKENS)


@check
def tools(client):
    config = types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=BY_HAND)
    answer = yield client.models.generate_content(**ASK, config=config)
    (call,) = answer.function_calls
    equal((call.name, call.args), ("weather", TRIP.model_dump()))
    result = types.Part(
        function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": "sunny"})
    )
    turns = [
        types.Content(role="user", parts=[types.Part(text=ASK["contents"])]),
        answer.candidates[0].content,
        types.Content(role="user", parts=[result]),
    ]
    answer = yield client.models.generate_content(model="smart", contents=turns, config=config)
    equal(answer.text, TEXT)


@check
def tools_streamed(client):
    chunks = []
    config = types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=BY_HAND)
    yield from streamed_with(client, chunks, config=config)
    calls = [call for chunk in chunks for call in chunk.function_calls or []]
    equal([(call.name, call.args) for call in calls], [("weather", TRIP.model_dump())])
    equal(finishes(chunks), ["STOP"])


@check
def tools_run_by_the_helper(client):
    calls = []

    def weather(city: str, days: int) -> str:
        """Tells the weather."""
        calls.append((city, days))
        return "sunny"

    answer = yield client.models.generate_content(**ASK, config=types.GenerateContentConfig(tools=[weather]))
    equal((answer.text, calls), (TEXT, [("Lisbon", 3)]))


@check
def tools_forced(client):
    calling = types.FunctionCallingConfig(mode="ANY", allowed_function_names=["weather"])
    config = types.GenerateContentConfig(
        tools=[WEATHER],
        automatic_function_calling=BY_HAND,
        tool_config=types.ToolConfig(function_calling_config=calling),
    )
    answer = yield client.models.generate_content(**ASK, config=config)
    equal(answer.function_calls[0].name, "weather")


@check
def structured_by_class(client):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Trip)
    answer = yield client.models.generate_content(**ASK, config=config)
    equal(answer.parsed, TRIP)


@check
def structured_by_schema(client):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=SCHEMA)
    answer = yield client.models.generate_content(**ASK, config=config)
    equal(Trip.model_validate_json(answer.text), TRIP)


@check
def chat(client):
    session = client.chats.create(model="smart")
    for _ in range(2):
        answer = yield session.send_message("Tell me about dragons.")
        equal(answer.text, TEXT)


@check
def system_prompt(client):
    answer = yield client.models.generate_content(
        **ASK, config=types.GenerateContentConfig(system_instruction=SYSTEM)
    )
    equal(answer.text, TEXT)


@check
def stop_sequence(client):
    config = types.GenerateContentConfig(stop_sequences=[STOP])
    answer = yield client.models.generate_content(**ASK, config=config)
    equal((answer.text, answer.candidates[0].finish_reason.name), (BEFORE_STOP, "STOP"))


@check
def parameters(client):
    config = types.GenerateContentConfig(temperature=0.5, top_p=0.9, max_output_tokens=200, candidate_count=1)
    answer = yield client.models.generate_content(**ASK, config=config)
    equal(answer.text, TEXT)


@check
def tokens_counted(client):
    if VENDOR == "openai_chat":
        # it has nothing to count with: said, and not guessed
        with raises(errors.ClientError):
            yield client.models.count_tokens(**ASK)
    else:
        counted = yield client.models.count_tokens(**ASK)
        assert counted.total_tokens > 0, counted


@check
def embedded(client):
    if VENDOR != "anthropic":
        embedded = yield client.models.embed_content(model="smart", contents=["four", "eleven more"])
        equal([vector.values for vector in embedded.embeddings], VECTORS)
    else:
        with raises(errors.ClientError):
            yield client.models.embed_content(model="smart", contents="four")


@check
def one_model(client):
    model = yield client.models.get(model="smart")
    equal(model.name, "models/smart")
    with raises(errors.ClientError) as caught:
        yield client.models.get(model="smrat")
    equal(caught.error.code, 404)


@check
def wrong_key(client):
    # the SDK sends this key beside its own: one that contradicts another is none
    stranger = types.GenerateContentConfig(http_options=types.HttpOptions(headers={"x-goog-api-key": "sk-of-nobody"}))
    with raises(errors.ClientError) as caught:
        yield client.models.generate_content(**ASK, config=stranger)
    equal((caught.error.code, caught.error.status), (401, "UNAUTHENTICATED"))


@check
def unknown_model(client):
    with raises(errors.ClientError) as caught:
        yield client.models.generate_content(model="smrat", contents="Hello")
    equal((caught.error.code, caught.error.status), (404, "NOT_FOUND"))


@check
def bad_request(client):
    with raises(errors.ClientError) as caught:
        yield client.models.generate_content(model="bad-request", contents="Hello")
    equal((caught.error.code, caught.error.status), (400, "INVALID_ARGUMENT"))
    with raises(errors.ClientError):
        yield from streamed_with(client, [], model="bad-request")


@check
def everybody_down(client):
    with raises(errors.ServerError) as caught:
        yield client.models.generate_content(model="down", contents="Hello")
    equal((caught.error.code, caught.error.status), (503, "UNAVAILABLE"))
    with raises(errors.ServerError):
        yield from streamed_with(client, [], model="down")


@check
def failover(client):
    for model in ("resets", "fails", "errs"):
        answer = yield client.models.generate_content(model=model, contents="Hello")
        equal(answer.text, TEXT)
        chunks = []
        yield from streamed_with(client, chunks, model=model)
        equal((words(chunks), finishes(chunks)), (TEXT, ["STOP"]))


@check
def held_answer(client):
    chunks = []
    yield from streamed_with(client, chunks, model="silent")
    equal((words(chunks), finishes(chunks)), (TEXT, ["STOP"]))


@check
def broken_stream(client):
    for model in ("cut", "error-late"):
        chunks = []
        with raises(Exception):
            yield from streamed_with(client, chunks, model=model)
        assert words(chunks) and TEXT.startswith(words(chunks)) and words(chunks) != TEXT, words(chunks)
        equal(finishes(chunks), [])


class Sync:
    """The client as the suite opens it."""

    def __init__(self, **_):
        self.client = genai.Client()

    def __enter__(self):
        return self.client

    def __exit__(self, *_):
        self.client.close()


class Async(Sync):
    """Its asynchronous half."""

    async def __aenter__(self):
        return self.client.aio

    async def __aexit__(self, *_):
        await self.client.aio.aclose()


if __name__ == "__main__":
    main(Sync, Async)
