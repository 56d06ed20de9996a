"""python-socketio, on both of its transports and its upgrade; the file must not be called as the library's module is."""

import asyncio

import socketio

from check import HTTP, expect, expect_keys, finish, test, within

PATH = "/currency/"
BODY = {"base": "USD", "symbol": "BTC"}


def client(transports):
    async def run():
        pushes = asyncio.Queue()
        api = socketio.AsyncClient(reconnection=False)
        api.on("crypto", lambda *args: pushes.put_nowait(args))
        await within("connection", api.connect(
            HTTP, socketio_path=PATH, auth={"api-key": "any"}, transports=transports, wait_timeout=10))
        try:
            row = await within("acknowledgement", api.call("crypto/onlyAck", BODY))
            expect_keys(row, ["base", "symbol", "price", "timestamp"], "the acknowledgement")
            expect(row["symbol"] == "BTC" and isinstance(row["price"], str), "the acknowledgement", row)
            await api.emit("crypto/onlyListen", BODY)
            for _ in range(2):
                args = await within("push", pushes.get())
                expect(len(args) == 1 and args[0]["symbol"] == "BTC", "the push", args)
            expect(api.transport() == (transports or ["websocket"])[-1], "the transport", api.transport())
        finally:
            await api.disconnect()

    return run


async def refused():
    errors = asyncio.Queue()
    api = socketio.AsyncClient(reconnection=False)
    api.on("connect_error", errors.put_nowait)
    try:
        await within("refusal", api.connect(HTTP, socketio_path=PATH, wait_timeout=10))
        raise AssertionError("it connects without an api-key")
    except socketio.exceptions.ConnectionError:
        error = await within("connect_error", errors.get())
        expect(error == {"message": "Unauthorized", "data": {"code": "UNAUTHORIZED"}}, "the error", error)
    finally:
        await api.disconnect()


test("socketio/python python-socketio: polling, then upgrade", client(None))
test("socketio/python python-socketio: websocket only", client(["websocket"]))
test("socketio/python python-socketio: polling only", client(["polling"]))
test("socketio/python python-socketio: no api-key is an error", refused)
finish()
