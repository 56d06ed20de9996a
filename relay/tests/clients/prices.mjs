// What the code of babakcode-socketio.md must have received, in Node and in a page.

import { expect, expectKeys } from "./check.mjs";

// The document's eight emits, in its order, without their acknowledgements' ids.
export const EMITS = [
  ["fiat/allListen", { base: "USD" }],
  ["fiat/allAck", { base: "USD" }],
  ["fiat/onlyListen", { base: "USD", currency: "EUR" }],
  ["fiat/onlyAck", { base: "USD", currency: "EUR" }],
  ["crypto/allListen", { base: "USD" }],
  ["crypto/allAck", { base: "USD" }],
  ["crypto/onlyListen", { base: "USD", symbol: "BTC" }],
  ["crypto/onlyAck", { base: "USD", symbol: "BTC" }],
];

function expectRow(row, kind, wanted) {
  const name = kind === "fiat" ? "currency" : "symbol";
  expectKeys(row, ["base", name, "price", "timestamp"], `the ${kind} row`);
  expect(row.base === "USD", "the base", row);
  expect(typeof row.price === "string" && Number(row.price) > 0, "the price", row);
  expect(!wanted || row[name] === wanted, `the ${name}`, row);
}

function expectRows(rows, kind, wanted) {
  expect(Array.isArray(rows) && rows.length > 0, `no list of ${kind} rows`, rows);
  for (const row of rows) expectRow(row, kind);
  const name = kind === "fiat" ? "currency" : "symbol";
  if (wanted) expect(rows.some((row) => row[name] === wanted), `no ${wanted} among the ${kind} rows`, rows);
}

// Waits until the document's code has logged everything; `logs` holds the arguments of console.log as `values`.
export async function expectLogged(logs) {
  const log = (text, isList) =>
    logs
      .until(text, ({ values }) => values[0] === text && (isList === undefined || Array.isArray(values[1]) === isList))
      .then(({ values }) => {
        expect(values.length === 2, `${text} must come with one value`, values);
        return values[1];
      });
  for (const [kind, all, one, wanted] of [["fiat", "fiat currency", "fiat", "EUR"], ["crypto", "cryptocurrency", "crypto", "BTC"]]) {
    expectRows(await log(`${kind}/Acknowledgment for all ${one} prices:`), kind, wanted);
    expectRow(await log(`${kind}/Acknowledgment for specific ${one} price:`), kind, wanted);
    // Both of the document's handlers hear both subscriptions: one sends lists, the other single rows.
    for (const handler of [`${kind}/All ${all} price updates:`, `${kind}/Specific ${all} price update:`]) {
      expectRows(await log(handler, true), kind, wanted);
      expectRow(await log(handler, false), kind, wanted);
    }
  }
}
