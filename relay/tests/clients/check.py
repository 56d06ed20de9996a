"""What every test of a Python client needs: a line per test, deadlines, and the documents' code."""

import asyncio
import os
import queue
import sys
import tempfile
import time
import traceback

# The longest schedule of the documents is 10 s.
DEADLINE_S = 20

ADDRESS = os.environ["RELAY_ADDRESS"]
WS = f"ws://{ADDRESS}"
HTTP = f"http://{ADDRESS}"

failed = 0


def test(name, run):
    """Runs one test, a function or a coroutine function."""
    global failed
    try:
        result = run()
        if asyncio.iscoroutine(result):
            asyncio.run(asyncio.wait_for(result, 3 * DEADLINE_S))
        print(f"ok {name}", flush=True)
    except Exception as error:
        failed += 1
        why = " ".join(str(error).split())
        if not isinstance(error, AssertionError):
            why = f"{type(error).__name__} {why}"
        print(f"FAIL {name}: {why}", flush=True)
        if os.environ.get("CLIENTS_DEBUG"):
            traceback.print_exc()


def finish():
    """Libraries leave threads behind, so the process does not wait for them."""
    sys.stdout.flush()
    os._exit(1 if failed else 0)


def expect(holds, what, seen=...):
    if not holds:
        raise AssertionError(what if seen is ... else f"{what}: {str(seen)[:300]}")


def expect_keys(mapping, keys, what):
    missing = [key for key in keys if key not in mapping]
    expect(not missing, f"{what} lacks {missing}", mapping)


def take(items, what, accepts=lambda item: True):
    """The first item of a queue that is accepted; those before it are gone."""
    until = time.monotonic() + DEADLINE_S
    last = None
    while True:
        try:
            last = items.get(timeout=max(0, until - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"no {what} within {DEADLINE_S} s; the last item: {str(last)[:300]}") from None
        if accepts(last):
            return last


async def within(what, awaitable):
    try:
        return await asyncio.wait_for(awaitable, DEADLINE_S)
    except asyncio.TimeoutError:
        raise AssertionError(f"no {what} within {DEADLINE_S} s") from None


def snippet(file, theirs, ours):
    """The path of a document's code with its URL exchanged for ours, and with nothing else changed."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "snippets", file)) as source:
        text = source.read()
    expect(text.count(theirs) == 1, f"{file} must name {theirs} once")
    path = os.path.join(tempfile.mkdtemp(prefix="relay-clients-"), file)
    with open(path, "w") as target:
        target.write(text.replace(theirs, ours))
    return path
