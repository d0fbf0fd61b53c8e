// All of a table as an Arrow stream over HTTP, in megabytes (10^6 bytes) a second; beside it, raw DataFusion writing the
// same rows as the same format, to nowhere.

import { serveFlights, threads, wholeTable } from '../flights.mjs';
import { micros, quantile } from '../quantiles.mjs';

const turns = 7;

/** DataFusion reads strings as views; on the wire a result of Ambit has plain ones. */
const asWritten = wholeTable.replace(
  'origin, destination',
  "arrow_cast(origin, 'Utf8'), arrow_cast(destination, 'Utf8')",
);

/** @param {import('../peers/raw.mjs').Raw} raw */
export async function stream(raw) {
  console.error(`bench: ${turns} times the whole table as an Arrow stream`);
  const server = await serveFlights();
  try {
    const ambit = [];
    const beside = [];
    let bytes = 0;
    await take(server);
    for (let turn = 0; turn < turns; turn += 1) {
      const took = await micros(async () => {
        bytes = await take(server);
      });
      ambit.push(bytes / took);
      const { bytes: written, micros: rawMicros } = await raw.stream({ sql: asWritten, threads });
      beside.push(written / rawMicros);
    }
    return { bytes, ambitMegabytesPerSecond: quantile(ambit, 0.5), rawMegabytesPerSecond: quantile(beside, 0.5) };
  } finally {
    await server.stop();
    server.clear();
  }
}

async function take(/** @type {import('../flights.mjs').Server} */ server) {
  const answer = await server.ask(wholeTable, { accept: 'application/vnd.apache.arrow.stream' });
  if (!answer.ok || answer.body === null) throw new Error(`${answer.status}: ${await answer.text()}`);
  let bytes = 0;
  for await (const chunk of answer.body) bytes += chunk.length;
  return bytes;
}
