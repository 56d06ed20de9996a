// The JavaScript of hub-realtime.md in a page; what its examples leave to the page's author is defined before them.

import { HTTP, WS, expect, expectKeys, expectSame, finish, snippet, test } from "./check.mjs";
import { expectNoErrors, frames, openBrowser, openPage } from "./page.mjs";

const LOCALHOST = "ws://localhost:8000/ws";
const CHANNELS = ["binance_prices", "binance_orderbook", "binance_24hr", "coingecko_global", "coingecko_top",
  "coingecko_trending", "bitcoinprice", "ethprice"];
const KEYS = ["type", "connector_id", "exchange", "instrument", "price", "timestamp", "data"];
const LEVELS = 10;

const browser = await openBrowser();
const update = (channel) => (text) => JSON.parse(text).type === "price_update" && JSON.parse(text).connector_id === channel;

// The examples use a `ws` that is there already.
function subscribed(channels) {
  const subscribe = JSON.stringify({ type: "subscribe", channels });
  return `const ws = new WebSocket("${WS}/ws"); ws.onopen = () => ws.send('${subscribe}');`;
}

function expectUpdates(seen) {
  for (const message of frames(seen).filter(({ type }) => type === "price_update")) {
    expectKeys(message, KEYS, "the message");
    expect(typeof message.price === "number", "the price is no number", message);
  }
}

await test("hub/page: JavaScript Client", async (closers) => {
  const helpers = "function updateUI() {} function reconnect() {}";
  const seen = await openPage(browser, { scripts: [helpers, snippet("hub_client.js", LOCALHOST, `${WS}/ws`)] }, closers);
  await seen.logs.until("WebSocket connected", ({ values }) => values[0] === "WebSocket connected");
  for (const channel of ["binance_prices", "binance_orderbook"]) {
    const wanted = ({ values }) => values[0] === "Received:" && values[1].connector_id === channel;
    await seen.logs.until(`message of ${channel}`, wanted);
  }
  const first = frames(seen)[0];
  expectSame([first.type, first.channels], ["subscribed", ["binance_prices", "binance_orderbook"]], "the first message");
  expectUpdates(seen);
  await seen.page.addScriptTag({ content: snippet("hub_disconnect.js") });
  await seen.page.evaluate("disconnect()");
  await seen.logs.until("WebSocket closed", ({ values }) => values[0] === "WebSocket closed");
  expectNoErrors(seen);
});

await test("hub/page: Example 1, real-time price tracking", async (closers) => {
  const html = '<p id="price-BTC/USDT"></p><p id="price-ETH/USDT"></p>';
  const seen = await openPage(browser, { html, scripts: [snippet("hub_prices.js", LOCALHOST, `${WS}/ws`)] }, closers);
  for (const channel of ["binance_prices", "bitcoinprice"]) await seen.received.until(channel, update(channel));
  // From the Binance channel only, so that both fill their element.
  await seen.received.until("ETH/USDT", (text) => JSON.parse(text).instrument === "ETH/USDT");
  await seen.page.waitForFunction(() =>
    ["BTC", "ETH"].every((base) => /^\$[0-9][0-9,.]*$/.test(document.getElementById(`price-${base}/USDT`).textContent)));
  expectUpdates(seen);
  expectNoErrors(seen);
});

await test("hub/page: Example 2, order book monitoring", async (closers) => {
  const scripts = [subscribed(["binance_orderbook"]), snippet("hub_order_book.js")];
  const seen = await openPage(browser, { scripts }, closers);
  await seen.logs.until("table of BTC/USDT's bids", ({ kind }) => kind === "table");
  await seen.page.waitForFunction(() => "BTC/USDT" in orderBooks);
  const { asks, bids, timestamp } = await seen.page.evaluate('orderBooks["BTC/USDT"]');
  expect(!Number.isNaN(Date.parse(timestamp)), "the timestamp", timestamp);
  for (const [side, levels, sign] of [["asks", asks, 1], ["bids", bids, -1]]) {
    expect(levels.length === LEVELS, `${side} to show`, levels.length);
    expect(levels.every((level) => level.length === 2 && level.every((text) => Number(text) > 0)), side, levels);
    const sorted = levels.every((level, index) => !index || sign * (level[0] - levels[index - 1][0]) > 0);
    expect(sorted, `${side} are not best first`, levels);
  }
  expect(Number(asks[0][0]) > Number(bids[0][0]), "the book is crossed", [asks[0], bids[0]]);
  expectUpdates(seen);
  expectNoErrors(seen);
});

await test("hub/page: Example 3, live chart updates", async (closers) => {
  // The chart is a constant of a module, where only the library sees it.
  const html = '<div style="width: 400px"><canvas id="priceChart"></canvas></div>';
  const module = `${snippet("hub_chart.js")}; window.chartOfTheExample = chart;`;
  const seen = await openPage(browser, { html, scripts: [subscribed(["bitcoinprice"])], module }, closers);
  const handle = await seen.page.waitForFunction(() => {
    const { labels, datasets } = window.chartOfTheExample?.data ?? { labels: [] };
    return labels.length >= 3 && { labels: [...labels], prices: [...datasets[0].data] };
  });
  const { labels, prices } = await handle.jsonValue();
  expect(prices.every((price) => typeof price === "number" && price > 0), "the chart's prices", prices);
  expect(!labels.includes("Invalid Date"), "the chart's labels", labels);
  expectNoErrors(seen);
});

await test("hub/page: Example 4, multi-exchange comparison", async (closers) => {
  const scripts = [subscribed(["binance_prices", "bitcoinprice"]), snippet("hub_comparison.js")];
  const seen = await openPage(browser, { scripts }, closers);
  await seen.page.waitForFunction(() => Object.keys(priceData["BTC/USDT"] ?? {}).length === 2);
  const prices = await seen.page.evaluate('priceData["BTC/USDT"]');
  expectKeys(prices, ["binance", "okx"], "the prices");
  const spread = ({ values }) => /^BTC\/USDT - Spread: [0-9]+\.[0-9]{2}%$/.test(values[0]);
  await seen.logs.until("spread of BTC/USDT", spread);
  expectNoErrors(seen);
});

await test("hub/page: message validation accepts everything but pong", async (closers) => {
  const helpers = "const processed = []; function processMessage(data) { processed.push(data); }";
  const scripts = [subscribed(CHANNELS), helpers, snippet("hub_validation.js")];
  const seen = await openPage(browser, { scripts }, closers);
  for (const channel of CHANNELS) await seen.received.until(`message of ${channel}`, update(channel));
  await seen.page.evaluate(() => {
    ws.send('{"type":"unsubscribe","channels":["binance_24hr"]}');
    ws.send('{"type":"subscribe","channels":["no_such_channel"]}');
    ws.send('{"type":"ping"}');
  });
  await seen.received.until("pong", (text) => text === '{"type":"pong"}');
  await seen.logs.until("warning about the pong", ({ kind }) => kind === "warning");
  const types = new Set(await seen.page.evaluate("processed.map(({ type }) => type)"));
  for (const type of ["subscribed", "unsubscribed", "error", "price_update"]) {
    expect(types.has(type), `no message of type ${type} was accepted`, [...types]);
  }
  const warnings = seen.logs.items.filter(({ kind }) => kind === "warning").map(({ values }) => values[0]);
  expectSame(warnings, ["Missing required field: timestamp"], "the warnings");
  expectUpdates(seen);
  expectNoErrors(seen);
});

await test("hub/page: reconnection logic, which subscribes to the whole list again", async (closers) => {
  const scripts = [snippet("hub_reconnection.js", LOCALHOST, `${WS}/ws`)];
  const seen = await openPage(browser, { scripts, clock: true }, closers);
  const connected = () => seen.logs.items.filter(({ values }) => values[0] === "Connected").length;
  await seen.logs.until("Connected", () => connected() === 1);
  await seen.page.evaluate('subscribe(["bitcoinprice", "ethprice"])');
  await seen.received.until("price before", update("bitcoinprice"));
  await seen.page.evaluate("ws.close()");
  await seen.logs.until("Reconnecting", ({ values }) => values[0] === "Reconnecting... (attempt 1)");
  const before = seen.received.items.length;
  await seen.page.clock.runFor(3000);
  await seen.logs.until("Connected again", () => connected() === 2);
  for (const channel of ["bitcoinprice", "ethprice"]) {
    await seen.received.until(`price of ${channel} after`, () => seen.received.items.slice(before).some(update(channel)));
  }
  expectSame(JSON.parse(seen.received.items[before]).channels, ["bitcoinprice", "ethprice"], "the answer to the second subscribe");
  expectUpdates(seen);
  expectNoErrors(seen);
});

await test("hub/page: POST /ws/test from another origin reaches every client", async (closers) => {
  // A ping makes a hub client of it.
  const script = `const ws = new WebSocket("${WS}/ws"); ws.onopen = () => ws.send('{"type":"ping"}');`;
  const seen = await openPage(browser, { scripts: [script] }, closers);
  await seen.received.until("pong", (text) => text === '{"type":"pong"}');
  const [status, answer] = await seen.page.evaluate(async (url) => {
    const body = JSON.stringify({ message: "Hello, WebSocket!" });
    const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
    return [response.status, await response.json()];
  }, `${HTTP}/ws/test`);
  expect(status === 200 && answer.type === "test_response", "the answer", answer);
  expect(answer.message === "Broadcast to all connected clients", "the answer", answer);
  expectKeys(answer, ["timestamp"], "the answer");
  const message = await seen.received.until("broadcast", (text) => JSON.parse(text).type === "test_message");
  expect(JSON.parse(message).message === "Hello, WebSocket!", "the broadcast", message);
  expectNoErrors(seen);
});

finish();
