// The code of deriv-connection.md in a page.

import { WS, expect, expectSame, finish, snippet, test } from "./check.mjs";
import { expectNoErrors, openBrowser, openPage } from "./page.mjs";

const URL_THEIRS = "wss://ws.binaryws.com/websockets/v3";
const URL_OURS = `${WS}/websockets/v3`;
const PONG = { echo_req: { ping: 1 }, msg_type: "ping", ping: "pong" };
const PING_INTERVAL_MS = 12_000;

const browser = await openBrowser();
const logged = (text) => ({ values }) => values[0] === text;

async function close(seen) {
  await seen.page.evaluate("websocket.close()");
  const log = await seen.logs.until("log of the close", logged("websocket connectioned closed: "));
  const event = log.handles[1];
  const [clean, code] = await event.evaluate((close) => [close.wasClean, close.code]);
  expect(clean, `the close is not clean, code ${code}`);
}

await test("deriv/page: only the open event without a request, then a clean close", async (closers) => {
  const seen = await openPage(browser, { scripts: [snippet("deriv_events.js", URL_THEIRS, URL_OURS)] }, closers);
  await seen.logs.until("open event", logged("websocket connection established: "));
  // Whatever the relay sent unasked comes before its answer to the close.
  await close(seen);
  expectNoErrors(seen);
  expect(seen.received.items.length === 0, "messages that nobody asked for", seen.received.items);
  expect(seen.sockets.items[0].endsWith("/websockets/v3?app_id=1089"), "the URL", seen.sockets.items);
});

await test("deriv/page: the final code: pong, pings at its interval, clean close", async (closers) => {
  const script = snippet("deriv_final.js", URL_THEIRS, URL_OURS);
  const seen = await openPage(browser, { scripts: [script], clock: true }, closers);
  await seen.logs.until("open event", logged("websocket connection established: "));
  const answers = () => seen.logs.items.filter(logged("new message received from server: "));
  for (let count = 1; count <= 4; count += 1) {
    await seen.logs.until(`answer ${count} to a ping`, () => answers().length >= count);
    expect(answers().length === count, "answers without a ping", answers().length);
    expectSame(answers().at(-1).values[1], PONG, "the message");
    await seen.page.clock.runFor(PING_INTERVAL_MS);
  }
  await close(seen);
  expectNoErrors(seen);
});

finish();
