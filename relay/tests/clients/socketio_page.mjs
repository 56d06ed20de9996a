// The code of babakcode-socketio.md in a page of another origin.

import { ADDRESS, HTTP, expect, expectSame, finish, snippet, test } from "./check.mjs";
import { expectNoErrors, openBrowser, openPage } from "./page.mjs";
import { EMITS, expectLogged } from "./prices.mjs";

const THEIRS = "https://wss.babakcode.com";
const browser = await openBrowser();

// The emits in a list of Engine.IO packets.
function emits(packets) {
  return packets.filter((packet) => /^42[0-9]*\[/.test(packet)).map((packet) => JSON.parse(packet.replace(/^42[0-9]*/, "")));
}

await test("socketio/page socket.io-client: the document's code, polling first, then upgrade", async (closers) => {
  const seen = await openPage(browser, { module: snippet("socketio_client.js", THEIRS, HTTP) }, closers);
  const socket = await seen.sockets.until("WebSocket", (url) => url.includes("transport=websocket"));
  const ours = seen.requests.filter(({ url }) => url.includes(ADDRESS));
  expect(/\/currency\/\?EIO=4&transport=polling/.test(ours[0].url), "the first request", ours[0]);
  expect(/[?&]sid=/.test(socket), "the WebSocket must belong to the polling session", socket);
  await seen.received.until("answer to the probe", (packet) => packet === "3probe");
  await seen.sent.until("upgrade packet", (packet) => packet === "5");
  await expectLogged(seen.logs);
  // On a slow machine they are posted before the upgrade is done.
  const posted = seen.requests.flatMap(({ body }) => body?.split("\x1e") ?? []);
  expectSame(emits([...posted, ...seen.sent.items]), EMITS, "the emits");
  expectNoErrors(seen);
});

await test("socketio/page socket.io-client: no api-key is a connect_error", async (closers) => {
  const module = `import { io } from "socket.io-client";
    const socket = io("${HTTP}", { path: "/currency/" });
    socket.on("connect_error", (error) => console.log("refused", error.message, error.data));`;
  const seen = await openPage(browser, { module }, closers);
  const { values } = await seen.logs.until("connect_error", ({ values }) => values[0] === "refused");
  expectSame(values.slice(1), ["Unauthorized", { code: "UNAUTHORIZED" }], "the error");
  expectNoErrors(seen);
});

finish();
