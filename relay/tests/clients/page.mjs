// Pages in headless Chromium, served from an origin of their own, and what they log, send and receive.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { chromium } from "playwright-core";

import { DEADLINE_MS, Mailbox, expect } from "./check.mjs";

const MODULES = path.resolve(path.dirname(createRequire(import.meta.url).resolve("playwright-core")), "..");

// The documents import these by name, as a bundler's input does.
const IMPORTS = {
  "socket.io-client": "/modules/socket.io-client/dist/socket.io.esm.min.js",
  "chart.js/auto": "/modules/chart.js/auto/auto.js",
  "@kurkle/color": "/modules/@kurkle/color/dist/color.esm.js",
};

const pages = new Map();

async function serve(request, response) {
  const { pathname } = new URL(request.url, "http://page");
  try {
    if (pages.has(pathname)) {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(pages.get(pathname));
    } else {
      const file = path.join(MODULES, path.normalize(pathname.replace("/modules/", "/")));
      response.writeHead(200, { "content-type": "text/javascript" }).end(await readFile(file));
    }
  } catch {
    response.writeHead(404).end();
  }
}

// A browser and a server for its pages.
export async function openBrowser() {
  const server = createServer(serve);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--disable-gpu", "--disable-quic", "--no-first-run"],
  });
  return { browser, origin: `http://127.0.0.1:${server.address().port}` };
}

/**
 * Opens a page whose body is `html` and runs the scripts in order; `module` is run as one, the others share a global scope.
 * With `clock` the page's timers stand still until the test moves them.
 */
export async function openPage({ browser, origin }, { html = "", scripts = [], module = "", clock = false }, closers) {
  const page = await browser.newPage();
  page.setDefaultTimeout(DEADLINE_MS);
  closers.push(() => page.close());
  const seen = {
    page,
    logs: new Mailbox(),
    errors: [],
    requests: [],
    sent: new Mailbox(),
    received: new Mailbox(),
    sockets: new Mailbox(),
    closed: new Mailbox(),
  };
  let inOrder = Promise.resolve();
  page.on("console", (message) => {
    const values = Promise.all(message.args().map((handle) => handle.jsonValue().catch(() => undefined)));
    inOrder = inOrder.then(async () => {
      const log = { kind: message.type(), values: await values };
      // Out of the way of a failure's text.
      Object.defineProperty(log, "handles", { value: message.args() });
      seen.logs.push(log);
    });
  });
  page.on("pageerror", (error) => seen.errors.push(error.message));
  page.on("request", (request) => {
    seen.requests.push({ url: request.url(), body: request.postData() });
  });
  page.on("websocket", (socket) => {
    seen.sockets.push(socket.url());
    socket.on("framesent", ({ payload }) => seen.sent.push(payload));
    socket.on("framereceived", ({ payload }) => seen.received.push(payload));
    socket.on("close", () => seen.closed.push(socket.url()));
  });
  if (clock) await page.clock.install();

  const name = `/page-${pages.size}`;
  const tags = scripts.map((text) => `<script>${text}</script>`);
  if (module) tags.push(`<script type="module">${module}</script>`);
  const imports = `<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>`;
  pages.set(name, `<!doctype html><link rel="icon" href="data:,">${imports}<body>${html}${tags.join("\n")}</body>`);
  await page.goto(origin + name);
  return seen;
}

// A document's code must run without an uncaught error, and without one that it reports itself.
export function expectNoErrors(seen) {
  expect(seen.errors.length === 0, "uncaught errors in the page", seen.errors);
  const reported = seen.logs.items.filter(({ kind }) => kind === "error").map(({ values }) => values);
  expect(reported.length === 0, "the page reports errors", reported);
}

export function frames(seen) {
  return seen.received.items.map((text) => JSON.parse(text));
}
