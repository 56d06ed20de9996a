// Node libraries on the stream dialect: the document's keep-alive on ws, and four Binance clients.

import { mock } from "node:test";
import { Spot } from "@binance/spot";
import connector from "@binance/connector";
import { WebsocketClient } from "binance";
import binanceApiNode from "binance-api-node";
import WebSocket from "ws";

import { Mailbox, WS, expect, expectKeys, finish, snippet, test, within } from "./check.mjs";

const TRADE = ["e", "E", "s", "t", "p", "q", "T", "m"];
const KEEP_ALIVE_MS = 30 * 60 * 1000;

function expectTrade(trade) {
  expect(trade.e === "trade" && trade.s === "BTCUSDT", "the message", trade);
  expectKeys(trade, TRADE, "the trade");
}

await test("stream/node ws: the document's keep-alive ping is answered", async (closers) => {
  const ws = new WebSocket(`${WS}/ws`);
  closers.push(() => ws.terminate());
  await within("open", new Promise((resolve, reject) => ws.on("open", resolve).on("error", reject)));
  const pong = new Promise((resolve) => ws.on("pong", (payload) => resolve(payload)));
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    new Function("ws", "WebSocket", snippet("bitzoom_keep_alive.js"))(ws, WebSocket);
    mock.timers.tick(KEEP_ALIVE_MS);
  } finally {
    mock.timers.reset();
  }
  expect((await within("pong", pong)).length === 0, "the pong's payload must be the ping's");
});

await test("stream/node @binance/connector: a stream, combined streams", async (closers) => {
  const messages = new Mailbox();
  const callbacks = { message: (text) => messages.push(JSON.parse(text)) };
  const logger = { info() {}, warn() {}, error() {}, debug() {} };
  const raw = new connector.WebsocketStream({ callbacks, logger, wsURL: WS });
  closers.push(() => raw.disconnect());
  raw.trade("btcusdt");
  expectTrade(await messages.until("trade", ({ e }) => e === "trade"));
  const both = new connector.WebsocketStream({ callbacks, logger, wsURL: WS, combinedStreams: true });
  closers.push(() => both.disconnect());
  both.subscribe(["btcusdt@ticker", "ethusdt@trade"]);
  const ticker = await messages.until("combined ticker", ({ stream }) => stream === "btcusdt@ticker");
  expect(ticker.data.e === "24hrTicker", "the ticker", ticker);
  await messages.until("combined trade", ({ stream }) => stream === "ethusdt@trade");
});

await test("stream/node @binance/spot: connect, trade", async (closers) => {
  const client = new Spot({ configurationWebsocketStreams: { wsURL: WS } });
  const connection = await within("connection", client.websocketStreams.connect());
  closers.push(() => connection.disconnect());
  const trades = new Mailbox();
  const stream = connection.trade({ symbol: "btcusdt" });
  stream.on("message", (trade) => trades.push(trade));
  expectTrade(await trades.until("trade", () => true));
});

await test("stream/node binance: subscribe", async (closers) => {
  const quiet = { trace() {}, info() {}, error() {} };
  const client = new WebsocketClient({ wsUrl: WS }, quiet);
  closers.push(() => client.closeAll(true));
  const messages = new Mailbox();
  client.on("message", (message) => messages.push(message));
  client.on("exception", (error) => messages.push(error));
  client.subscribe("btcusdt@trade", "main").catch((error) => messages.push(error));
  const message = await messages.until("trade", (message) => (message.data ?? message).e === "trade");
  expectTrade(message.data ?? message);
});

await test("stream/node binance-api-node: trades, ticker", async (closers) => {
  const client = (binanceApiNode.default ?? binanceApiNode)({ wsBase: `${WS}/ws` });
  const messages = new Mailbox();
  closers.push(client.ws.trades(["BTCUSDT"], (trade) => messages.push(trade)));
  closers.push(client.ws.ticker("ETHUSDT", (ticker) => messages.push(ticker)));
  const trade = await messages.until("trade", ({ eventType }) => eventType === "trade");
  expect(trade.symbol === "BTCUSDT" && trade.price > 0, "the trade", trade);
  const ticker = await messages.until("ticker", ({ eventType }) => eventType === "24hrTicker");
  expect(ticker.symbol === "ETHUSDT" && ticker.curDayClose > 0, "the ticker", ticker);
});

finish();
