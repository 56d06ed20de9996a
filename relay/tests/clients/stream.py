"""The Python class of bitzoom-streams.md on websocket-client, and python-binance."""

import io
import json
import queue
import runpy
import threading
from contextlib import redirect_stdout

import websocket
from binance import AsyncClient, BinanceSocketManager

from check import DEADLINE_S, WS, expect, expect_keys, finish, snippet, take, test, within

DOCUMENTED = {
    "24hrTicker": "e E s p P w c Q o h l v q O C F L n".split(),
    "trade": "e E s t p q T m".split(),
    "kline": "e E s k".split(),
}
KLINE = "t T s i o c h l v n x q".split()


class Lines(io.TextIOBase):
    """What the class prints, line by line."""

    def __init__(self):
        self.lines, self.rest = queue.Queue(), ""

    def write(self, text):
        *complete, self.rest = (self.rest + text).split("\n")
        for line in complete:
            self.lines.put(line)
        return len(text)


def documents_class():
    messages, apps = queue.Queue(), []

    class Watched(websocket.WebSocketApp):
        """The library's own class; it only tells us too what it gives to the document's code."""

        def __init__(self, url, on_message, **callbacks):
            def watch(app, message):
                messages.put(message)
                on_message(app, message)

            super().__init__(url, on_message=watch, **callbacks)
            apps.append(self)

    path = snippet("bitzoom_complete.py", "wss://stream.bitzoom.com/ws", f"{WS}/ws")
    original, websocket.WebSocketApp = websocket.WebSocketApp, Watched
    printed = Lines()
    try:
        with redirect_stdout(printed):
            # Run as a program, as the document does: it ends when its connection does.
            thread = threading.Thread(target=runpy.run_path, args=(path,), kwargs={"run_name": "__main__"}, daemon=True)
            thread.start()
            lines = [take(printed.lines, "line Connected")]
            missing = {"Ticker BTCUSDT: ", "Trade BTCUSDT: ", "Kline BTCUSDT 1m: "}
            while missing:
                lines.append(take(printed.lines, f"line that starts with one of {sorted(missing)}"))
                missing = {start for start in missing if not lines[-1].startswith(start)}
            apps[0].close()
            thread.join(DEADLINE_S)
            while lines[-1] != "Connection closed":
                lines.append(take(printed.lines, "line Connection closed"))
    finally:
        websocket.WebSocketApp = original
    expect(not thread.is_alive(), "run() goes on after the close")
    expect(lines[0] == "Connected", "the first line", lines[0])
    expect(not [line for line in lines if line.startswith("Error")], "errors", lines)

    first = json.loads(messages.get_nowait())
    expect(first == {"result": None, "id": 1}, "the first message", first)
    kinds = set()
    while not messages.empty():
        message = json.loads(messages.get_nowait())
        kinds.add(message["e"])
        expect(message["s"] == "BTCUSDT", "the symbol", message)
        expect_keys(message, DOCUMENTED[message["e"]], "the message")
        if message["e"] == "kline":
            expect_keys(message["k"], KLINE, "the kline")
    expect(kinds == set(DOCUMENTED), "the event types", kinds)


async def python_binance():
    # Made without create(), which asks the REST API for its time first.
    client = AsyncClient()
    try:
        manager = BinanceSocketManager(client)
        manager.STREAM_URL = f"{WS}/"
        async with manager.trade_socket("BTCUSDT") as socket:
            trade = await within("trade", socket.recv())
        expect(trade.get("e") == "trade" and trade["s"] == "BTCUSDT", "the message", trade)
        expect_keys(trade, DOCUMENTED["trade"], "the trade")
        async with manager.multiplex_socket(["btcusdt@ticker", "ethusdt@trade"]) as socket:
            streams = set()
            while len(streams) < 2:
                message = await within("message of both streams", socket.recv())
                expect_keys(message, ["stream", "data"], "the combined message")
                streams.add(message["stream"])
        expect(streams == {"btcusdt@ticker", "ethusdt@trade"}, "the streams", streams)
    finally:
        await client.close_connection()


test("stream/python websocket-client: the document's class", documents_class)
test("stream/python python-binance: trade_socket, multiplex_socket", python_binance)
finish()
