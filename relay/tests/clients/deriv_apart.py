"""python-deriv-api, which wants websockets 10."""

import asyncio

from deriv_api import DerivAPI
from deriv_api.errors import ResponseError

from check import WS, expect, expect_keys, finish, test, within


async def library():
    api = DerivAPI(endpoint=WS, app_id=1089)
    try:
        pong = await within("pong", api.ping({"ping": 1}))
        expect(pong["ping"] == "pong", "the pong", pong)
        ticks = asyncio.Queue()
        source = await within("subscription", api.subscribe({"ticks": "R_100"}))
        source.subscribe(ticks.put_nowait)
        for _ in range(2):
            message = await within("tick", ticks.get())
            expect(message["msg_type"] == "tick", "the message", message)
            expect_keys(message["tick"], "ask bid epoch id pip_size quote symbol".split(), "the tick")
            expect(message["tick"]["symbol"] == "R_100", "the symbol", message)
        forgotten = await within("answer to forget", api.forget(message["subscription"]["id"]))
        expect(forgotten["forget"] == 1, "the answer to forget", forgotten)
        try:
            await within("error", api.ticks({"ticks": "NOPE"}))
            raise AssertionError("an unknown symbol is no error")
        except ResponseError as error:
            expect(error.code == "InvalidSymbol", "the error of an unknown symbol", error)
    finally:
        await api.clear()


test("deriv/python python-deriv-api: ping, ticks, forget, error", library)
finish()
