"""binance-connector, which is called `binance` as python-binance is."""

import json
import queue

from binance.websocket.spot.websocket_stream import SpotWebsocketStreamClient

from check import WS, expect, finish, take, test


def of(event):
    return lambda message: message.get("e") == event


def connector():
    messages, closed = queue.Queue(), queue.Queue()
    client = SpotWebsocketStreamClient(
        stream_url=WS,
        on_message=lambda _, text: messages.put(json.loads(text)),
        on_close=lambda *_: closed.put(True),
    )
    client.agg_trade(symbol="btcusdt", id=1)
    answer = take(messages, "answer to SUBSCRIBE")
    expect(answer == {"result": None, "id": 1}, "the answer", answer)
    take(messages, "aggTrade", of("aggTrade"))
    client.kline(symbol="btcusdt", interval="1m", id=2)
    take(messages, "kline", of("kline"))
    client.list_subscribe(id=3)
    answer = take(messages, "answer to LIST_SUBSCRIPTIONS", lambda message: message.get("id") == 3)
    expect(answer["result"] == ["btcusdt@aggTrade", "btcusdt@kline_1m"], "the list", answer)
    client.stop()
    take(closed, "close")


def combined():
    messages = queue.Queue()
    client = SpotWebsocketStreamClient(
        stream_url=WS, is_combined=True, on_message=lambda _, text: messages.put(json.loads(text)))
    client.subscribe(stream=["btcusdt@trade", "ethusdt@trade"], id=7)
    for name in ["btcusdt@trade", "ethusdt@trade"]:
        message = take(messages, f"message of {name}", lambda message: message.get("stream") == name)
        expect(message["data"]["e"] == "trade", "the data", message)
    client.stop()


test("stream/python binance-connector: subscribe, list, stop", connector)
test("stream/python binance-connector: combined streams", combined)
finish()
