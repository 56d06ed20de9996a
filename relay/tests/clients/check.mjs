// What every test of a Node client needs: a line per test, mailboxes with a deadline, and the documents' code.

import { readFileSync } from "node:fs";

// The longest schedule of the documents is 10 s.
export const DEADLINE_MS = 20_000;

export const ADDRESS = process.env.RELAY_ADDRESS;
export const WS = `ws://${ADDRESS}`;
export const HTTP = `http://${ADDRESS}`;

let failed = 0;

// Runs one test; `run` gets a list to which it adds what has to be closed afterwards.
export async function test(name, run) {
  const closers = [];
  try {
    await run(closers);
    console.info(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.info(`FAIL ${name}: ${String(error?.message ?? error).replaceAll("\n", " ")}`);
    if (process.env.CLIENTS_DEBUG) console.error(error);
  }
  for (const close of closers.reverse()) {
    await Promise.resolve().then(close).catch(() => {});
  }
}

// Libraries leave timers and sockets behind, so the process does not wait for them.
export function finish() {
  process.exit(failed ? 1 : 0);
}

export function expect(holds, what, seen) {
  if (!holds) throw new Error(seen === undefined ? what : `${what}: ${show(seen)}`);
}

export function expectSame(seen, wanted, what) {
  const sorted = (value) =>
    value && typeof value === "object" && !Array.isArray(value)
      ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]))
      : value;
  expect(JSON.stringify(sorted(seen)) === JSON.stringify(sorted(wanted)), what, seen);
}

export function expectKeys(object, keys, what) {
  const missing = keys.filter((key) => !(key in object));
  expect(missing.length === 0, `${what} lacks ${missing}`, object);
}

export async function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${DEADLINE_MS / 1000} s`)), DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// Everything that arrived, in order; `until` waits for the first item that is accepted.
export class Mailbox {
  items = [];
  #waiting = new Set();

  push(item) {
    this.items.push(item);
    for (const look of this.#waiting) look(item);
  }

  async until(what, accepts) {
    const here = this.items.find(accepts);
    if (here !== undefined) return here;
    let look;
    const found = new Promise((resolve, reject) => {
      look = (item) => {
        try {
          if (accepts(item)) resolve(item);
        } catch (error) {
          reject(error);
        }
      };
      this.#waiting.add(look);
    });
    try {
      return await within(what, found);
    } catch (error) {
      throw new Error(`${error.message}; ${this.items.length} other, the last: ${show(this.items.slice(-3))}`);
    } finally {
      this.#waiting.delete(look);
    }
  }
}

export function show(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text?.length > 300 ? `${text.slice(0, 300)}…` : text;
}

// A document's code with its URL, or a part of it, exchanged for ours, and with nothing else changed.
export function snippet(file, theirs, ours) {
  const text = readFileSync(new URL(`snippets/${file}`, import.meta.url), "utf8");
  if (theirs === undefined) return text;
  expect(text.split(theirs).length === 2, `${file} must name ${theirs} once`);
  return text.replace(theirs, ours);
}
