// Deriv's own JavaScript library, on a connection that is handed to it.

import DerivAPIBasic from "@deriv/deriv-api/dist/DerivAPIBasic.js";
import WebSocket from "ws";

import { Mailbox, WS, expect, expectKeys, expectSame, finish, test, within } from "./check.mjs";

const PATH = `${WS}/websockets/v3?app_id=1089`;
const TICK = ["ask", "bid", "epoch", "id", "pip_size", "quote", "symbol"];

function connect(closers) {
  const api = new DerivAPIBasic({ connection: new WebSocket(PATH) });
  closers.push(() => api.disconnect());
  return api;
}

await test("deriv/node @deriv/deriv-api: ping, time, active_symbols", async (closers) => {
  const api = connect(closers);
  const pong = await within("pong", api.ping());
  expectSame([pong.ping, pong.msg_type, pong.echo_req.ping], ["pong", "ping", 1], "the pong");
  const { time } = await within("time", api.time());
  expect(Math.abs(time - Date.now() / 1000) < 600, "the time", time);
  const { active_symbols: symbols } = await within("symbols", api.activeSymbols({ active_symbols: "brief" }));
  expect(symbols.some(({ symbol }) => symbol === "R_100"), "no R_100 among the symbols", symbols.length);
});

await test("deriv/node @deriv/deriv-api: ticks of two symbols, forget", async (closers) => {
  const api = connect(closers);
  for (const symbol of ["R_100", "R_50"]) {
    const ticks = new Mailbox();
    const subscription = api.subscribe({ ticks: symbol }).subscribe((tick) => ticks.push(tick), (error) => ticks.push(error));
    await ticks.until(`second tick of ${symbol}`, () => ticks.items.length >= 2);
    for (const message of ticks.items) {
      expect(message.msg_type === "tick", "the message", message);
      expectKeys(message.tick, TICK, "the tick");
      expect(message.tick.symbol === symbol && typeof message.tick.quote === "number", "the tick", message);
      expect(message.tick.id === message.subscription.id, "the ids", message);
      expect(message.echo_req.ticks === symbol, "echo_req", message);
    }
    subscription.unsubscribe();
  }
  const forgotten = await within("answer to forget_all", api.forgetAll("ticks"));
  expect(Array.isArray(forgotten.forget_all), "the answer", forgotten);
});

await test("deriv/node @deriv/deriv-api: ticks_history, errors", async (closers) => {
  const api = connect(closers);
  const request = { ticks_history: "R_100", end: "latest", count: 5, style: "candles", granularity: 60 };
  const history = await within("candles", api.ticksHistory(request));
  expect(history.msg_type === "candles" && history.candles.length > 0, "the candles", history);
  expectKeys(history.candles[0], ["open", "high", "low", "close", "epoch"], "the candle");
  const refused = await within("error", api.ticks("NOPE").then(() => undefined, (error) => error));
  expect(refused?.error?.code === "InvalidSymbol", "the error of an unknown symbol", refused);
});

finish();
