// The code of babakcode-socketio.md in Node, and refusals.

import { mkdtempSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Manager, io } from "socket.io-client";

import { HTTP, Mailbox, expect, expectSame, finish, snippet, test, within } from "./check.mjs";
import { EMITS, expectLogged } from "./prices.mjs";

const PATH = "/currency/";
const THEIRS = "https://wss.babakcode.com";

// Runs the document's code; its socket is caught where the library makes it, its logs where it writes them.
async function runDocument(closers) {
  const logs = new Mailbox();
  const caught = {};
  const { socket: makeSocket } = Manager.prototype;
  Manager.prototype.socket = function socket(...options) {
    caught.first = this.engine.transport.name;
    caught.upgraded = new Promise((resolve) => this.engine.once("upgrade", (transport) => resolve(transport.name)));
    caught.socket = makeSocket.apply(this, options);
    caught.emits = [];
    caught.socket.onAnyOutgoing((...args) => caught.emits.push(args.filter((arg) => typeof arg !== "function")));
    return caught.socket;
  };
  const { log } = console;
  console.log = (...values) => logs.push({ values });
  closers.push(() => (console.log = log), () => caught.socket?.disconnect());
  try {
    // Beside this file, from where the library is found.
    const file = path.join(mkdtempSync(path.join(import.meta.dirname, "run-")), "socketio_client.mjs");
    writeFileSync(file, snippet("socketio_client.js", THEIRS, HTTP));
    await import(file);
  } finally {
    Manager.prototype.socket = makeSocket;
  }
  return { logs, ...caught };
}

await test("socketio/node socket.io-client: the document's code, polling first, then upgrade", async (closers) => {
  const { logs, first, upgraded, socket, emits } = await runDocument(closers);
  expect(first === "polling", "the first transport", first);
  const refused = new Promise((_, reject) => socket.on("connect_error", reject));
  expect((await within("upgrade", Promise.race([upgraded, refused]))) === "websocket", "the upgrade");
  await expectLogged(logs);
  expectSame(emits, EMITS, "the emits");
  expect(socket.connected && socket.io.engine.transport.name === "websocket", "the transport", socket.io.engine.transport.name);
  expect(socket.id && socket.id !== socket.io.engine.id, "the socket's id must not be the session's");
});

for (const transports of [["websocket"], ["polling"]]) {
  await test(`socketio/node socket.io-client: ${transports} only, acknowledgement and pushes`, async (closers) => {
    const socket = io(HTTP, { path: PATH, auth: { "api-key": "any" }, transports, forceNew: true });
    closers.push(() => socket.disconnect());
    const pushes = new Mailbox();
    socket.on("crypto", (...args) => pushes.push(args));
    socket.emit("crypto/onlyListen", { base: "USD", symbol: "BTC" });
    const answer = await within("acknowledgement", socket.emitWithAck("crypto/onlyAck", { base: "USD", symbol: "BTC" }));
    expect(answer.symbol === "BTC" && typeof answer.price === "string", "the acknowledgement", answer);
    await pushes.until("second push", () => pushes.items.length >= 2);
    expect(pushes.items.every((args) => args.length === 1 && args[0].symbol === "BTC"), "the pushes", pushes.items);
    expect(socket.io.engine.transport.name === transports[0], "the transport", socket.io.engine.transport.name);
  });

  await test(`socketio/node socket.io-client: ${transports} only, no api-key is a connect_error`, async (closers) => {
    for (const auth of [undefined, {}, { "api-key": "" }]) {
      const socket = io(HTTP, { path: PATH, auth, transports, forceNew: true });
      closers.push(() => socket.disconnect());
      const refused = new Promise((resolve, reject) => {
        socket.on("connect_error", resolve).on("connect", () => reject(new Error("it connects")));
      });
      const error = await within("connect_error", refused);
      expect(error.message === "Unauthorized", "the error", error.message);
      expectSame(error.data, { code: "UNAUTHORIZED" }, "the error's data");
    }
  });
}

await test("socketio/node socket.io-client: bad input is answered, not dropped", async (closers) => {
  const socket = io(HTTP, { path: PATH, auth: { "api-key": "any" }, forceNew: true });
  closers.push(() => socket.disconnect());
  const errors = new Mailbox();
  socket.on("error", (error) => errors.push(error));
  const answer = await within("acknowledgement", socket.emitWithAck("fiat/onlyAck", {}));
  expect(answer.error?.code === "BAD_REQUEST", "the acknowledgement", answer);
  socket.emit("fiat/onlyListen", {});
  const error = await errors.until("event error", () => true);
  expect(error.event === "fiat/onlyListen" && error.code && error.message, "the error", error);
});

finish();
