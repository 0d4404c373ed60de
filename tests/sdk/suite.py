"""What both Python suites share: what to expect, how a check runs, how it is reported.

A check is a generator that is given a client and yields whatever an asynchronous client would have to await. It runs
twice, with the synchronous and the asynchronous client, so that both are held to the same words.
"""

import asyncio
import contextlib
import json
import os
import sys
import traceback

# the simulated vendor: its dialect, its words, their number, a stop sequence among them and what comes before it
EXPECT = json.loads(os.environ["BACKSTAY_EXPECT"])
VENDOR, TEXT, TOKENS = EXPECT["vendor"], EXPECT["text"], EXPECT["tokens"]
STOP, BEFORE_STOP = EXPECT["stop"], EXPECT["before_stop"]
SYSTEM = EXPECT["system"]

CHECKS = []


def check(steps):
    CHECKS.append(steps)
    return steps


def equal(found, wanted):
    assert found == wanted, f"{found!r} instead of {wanted!r}"


@contextlib.contextmanager
def raises(kind):
    """The block must raise an error of this kind; it is in `error` of what is given."""
    caught = type("Caught", (), {"error": None})()
    try:
        yield caught
    except kind as error:
        caught.error = error
        return
    raise AssertionError(f"no {kind.__name__} was raised")


def gather(stream, into):
    """Appends everything that a stream gives, as far as it comes."""
    if hasattr(stream, "__aiter__"):
        return _gather(stream, into)
    for item in stream:
        into.append(item)


async def _gather(stream, into):
    async for item in stream:
        into.append(item)


def through(helper, into, final):
    """Enters a streaming helper, appends its events, and gives what `final` makes of it."""
    if hasattr(helper, "__aenter__"):
        return _through(helper, into, final)
    with helper as stream:
        gather(stream, into)
        return final(stream)


async def _through(helper, into, final):
    async with helper as stream:
        await gather(stream, into)
        return await final(stream)


def _run(steps):
    with contextlib.suppress(StopIteration):
        value = next(steps)
        while True:
            value = steps.send(value)


async def _run_async(steps):
    try:
        step = next(steps)
        while True:
            try:
                value = await step
            except Exception as error:
                step = steps.throw(error)
            else:
                step = steps.send(value)
    except StopIteration:
        pass


async def _with_client(steps, client_class):
    async with client_class(_strict_response_validation=True) as client:
        await _run_async(steps(client))


def main(sync_class, async_class):
    """Runs every check with either client; one line for each, and a status that says whether all went well."""
    failed = False
    # one loop for all: frameworks keep connections from call to call
    runner = asyncio.Runner()
    for steps in CHECKS:
        for client_class in (sync_class, async_class):
            name = f"{steps.__name__}, {client_class.__name__}"
            try:
                if client_class is sync_class:
                    with client_class(_strict_response_validation=True) as client:
                        _run(steps(client))
                else:
                    runner.run(_with_client(steps, client_class))
                print(f"ok {name}", flush=True)
            except Exception:
                failed = True
                print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
    runner.close()
    sys.exit(failed)
