// The JavaScript of bitzoom-streams.md in a page.

import { WS, expect, expectKeys, expectSame, finish, snippet, test } from "./check.mjs";
import { expectNoErrors, openBrowser, openPage } from "./page.mjs";

const browser = await openBrowser();
const CONNECT = snippet("bitzoom_connection.js", "wss://stream.bitzoom.com/ws", `${WS}/ws`);
const TICKER = ["e", "E", "s", "p", "P", "w", "c", "Q", "o", "h", "l", "v", "q", "O", "C", "F", "L", "n"];

await test("stream/page: subscribe, tickers, list, unsubscribe", async (closers) => {
  const seen = await openPage(browser, { scripts: [CONNECT] }, closers);
  const received = (what, accepts) =>
    seen.logs.until(what, ({ values }) => values[0] === "Received:" && accepts(values[1])).then(({ values }) => values[1]);

  await seen.logs.until("Connected", ({ values }) => values[0] === "Connected");
  await seen.page.addScriptTag({ content: snippet("bitzoom_subscribe.js") });
  expectSame(await received("answer to SUBSCRIBE", ({ id }) => id === 1), { result: null, id: 1 }, "the answer");
  for (const symbol of ["BTCUSDT", "ETHUSDT"]) {
    const ticker = await received(`ticker of ${symbol}`, ({ s }) => s === symbol);
    expect(ticker.e === "24hrTicker", "the event type", ticker);
    expectKeys(ticker, TICKER, "the ticker");
  }
  await seen.page.addScriptTag({ content: snippet("bitzoom_unsubscribe.js") });
  expectSame(await received("answer to UNSUBSCRIBE", ({ id }) => id === 2), { result: null, id: 2 }, "the answer");
  await seen.page.addScriptTag({ content: snippet("bitzoom_list.js") });
  const list = await received("answer to LIST_SUBSCRIPTIONS", ({ id }) => id === 3);
  expectSame(list, { result: ["ethusdt@ticker"], id: 3 }, "the list");

  const messages = seen.received.items.map((text) => JSON.parse(text));
  const answered = messages.findIndex(({ id }) => id === 2);
  expect(!messages.slice(answered).some(({ s }) => s === "BTCUSDT"), "a ticker after the end of its subscription");
  await seen.page.evaluate("ws.close()");
  await seen.logs.until("Disconnected", ({ values }) => values[0] === "Disconnected");
  expectNoErrors(seen);
});

finish();
