"""The Python client of hub-realtime.md on websockets."""

import ast
import asyncio
import datetime
import json
import sys

import websockets

from check import WS, expect, expect_keys, finish, snippet, test, within

KEYS = "type connector_id exchange instrument price timestamp data".split()
AGE_MAX = datetime.timedelta(minutes=10)


def expect_price_update(message, channel, exchange):
    expect_keys(message, KEYS, "the message")
    expect(message["type"] == "price_update", "the type", message)
    expect(message["connector_id"] == channel, "the connector_id", message)
    expect(message["exchange"] == exchange, "the exchange", message)
    expect(type(message["price"]) in (int, float), "the price is no number", message)
    expect(message["timestamp"].endswith("Z"), "the timestamp", message)
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(message["timestamp"])
    expect(abs(age) < AGE_MAX, "the timestamp's age", message)


async def documents_client():
    path = snippet("hub_client.py", "ws://localhost:8000/ws", f"{WS}/ws")
    # A program of its own, because it never ends: what it prints is all there is to see of it.
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-u", path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 20)
    try:
        updates, others = {}, []
        while "BTC/USDT" not in updates or len(updates) < 2:
            line = (await within("price update of BTC/USDT and another", program.stdout.readline())).decode()
            if not line:
                raise AssertionError(f"the program ended: {(await program.stderr.read()).decode()[-300:]}")
            expect(line.startswith("Received: {"), "the line", line)
            message = ast.literal_eval(line.removeprefix("Received: "))
            expect_keys(message, ["type"], "the message")
            if message["type"] == "price_update":
                updates[message["instrument"]] = message
            else:
                others.append(message)
        expect([message["type"] for message in others] == ["subscribed"], "messages but for prices", others)
        expect(others[0]["channels"] == ["binance_prices"], "the channels", others)
        for message in updates.values():
            expect_price_update(message, "binance_prices", "binance")
            expect_keys(message["data"], ["symbol", "price", "priceChangePercent"], "the data")
            symbol = message["instrument"].replace("/", "")
            expect(message["data"]["symbol"] == symbol, "the symbol", message)
            expect(float(message["data"]["price"]) == message["price"], "the data's price", message)
            expect(isinstance(message["data"]["priceChangePercent"], str), "priceChangePercent", message)
    finally:
        program.kill()
        await program.communicate()


async def commands():
    """The document's commands, one after the other, with what they answer."""
    async with websockets.connect(f"{WS}/ws") as socket:

        async def answer(kind):
            while True:
                message = json.loads(await within(kind, socket.recv()))
                expect_keys(message, ["type"], "the message")
                if message["type"] == kind:
                    return message
                expect(message["type"] == "price_update", "the message", message)

        await socket.send(json.dumps({"type": "ping"}))
        pong = json.loads(await within("pong", socket.recv()))
        expect(pong == {"type": "pong"}, "the pong", pong)
        await socket.send(json.dumps({"type": "subscribe", "channels": ["bitcoinprice", "ethprice"]}))
        answered = await answer("subscribed")
        expect(answered["channels"] == ["bitcoinprice", "ethprice"], "the answer to subscribe", answered)
        for instrument in ["BTC/USDT", "ETH/USDT"]:
            while (message := await answer("price_update"))["instrument"] != instrument:
                pass
            expect_price_update(message, {"B": "bitcoinprice", "E": "ethprice"}[instrument[0]], "okx")
        await socket.send(json.dumps({"type": "unsubscribe", "channels": ["bitcoinprice"]}))
        answered = await answer("unsubscribed")
        expect(answered["channels"] == ["bitcoinprice"], "the answer to unsubscribe", answered)
        message = await answer("price_update")
        expect(message["connector_id"] == "ethprice", "a price after its unsubscription", message)
        await socket.send(json.dumps({"type": "subscribe", "channels": ["no_such_channel"]}))
        error = await answer("error")
        expect(error["code"] == "unknown_channel", "the error", error)


test("hub/python websockets: the document's client", documents_client)
test("hub/python websockets: ping, subscribe, unsubscribe, error", commands)
finish()
