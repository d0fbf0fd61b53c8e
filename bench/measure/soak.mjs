// Many requests of many kinds from many clients at once: what failed, and what is left of them.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

import { questions, serveFlights } from '../flights.mjs';

const clients = 32;
/** Before memory is compared: allocators and caches have their size by then. */
const warmUp = 2_000;

/** What the clients ask by turns, and what must come of it. */
const kinds = [
  { sql: 'SELECT count(*) AS n FROM airports', status: 200 },
  { sql: questions.point, status: 200 },
  { sql: 'SELECT state, count(*) AS n FROM airports GROUP BY state ORDER BY n DESC', status: 200, accept: 'text/csv' },
  { sql: 'SELECT nobody FROM airports', status: 400 },
  { sql: 'SELECT count(*) AS n FROM nowhere', status: 400 },
  { sql: 'SELECT * FROM flight_hours LIMIT 5000', status: 200, accept: 'application/vnd.apache.arrow.stream' },
  // Its consumer goes away in the middle.
  { sql: 'SELECT * FROM flight_hours', status: 200, accept: 'application/x-ndjson', leaves: true },
  { sql: 'SELECT iata, delay FROM airports JOIN flights ON origin = iata LIMIT 10', status: 200 },
];

/** @param {number} requests */
export async function soak(requests) {
  console.error(`bench: ${requests} requests from ${clients} clients`);
  const server = await serveFlights();
  try {
    await crowd(server, Math.min(requests, warmUp));
    const before = await left(server);
    const started = Date.now();
    const wrong = await crowd(server, requests);
    const seconds = (Date.now() - started) / 1_000;
    const after = await left(server);
    await server.stop();
    const perSecond = Math.round(requests / seconds);
    return { requests, clients, perSecond, wrong, before, after, evidence: recorded(server.folder) };
  } finally {
    server.clear();
  }
}

/** How many answers were not what they must be. */
async function crowd(/** @type {import('../flights.mjs').Server} */ server, /** @type {number} */ requests) {
  let next = 0;
  let wrong = 0;
  const client = async () => {
    while (next < requests) {
      const kind = kinds[next % kinds.length];
      next += 1;
      if (kind !== undefined && !(await asked(server, kind))) wrong += 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return wrong;
}

async function asked(
  /** @type {import('../flights.mjs').Server} */ server,
  /** @type {{ sql: string, status: number, accept?: string, leaves?: boolean }} */ { sql, status, accept, leaves },
) {
  const leave = new AbortController();
  try {
    const answer = await server.ask(sql, { ...(accept === undefined ? {} : { accept }), signal: leave.signal });
    if (leaves === true) {
      await answer.body?.getReader().read();
      leave.abort();
    } else {
      await answer.arrayBuffer();
    }
    return answer.status === status;
  } catch {
    return false;
  }
}

/** What the processes hold when nobody asks. */
async function left(/** @type {import('../flights.mjs').Server} */ server) {
  // Sessions whose consumers left end in their own time; sockets that are kept alive close after theirs.
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const control = /** @type {number} */ (server.process.pid);
  const workers = childrenOf(control);
  return {
    controlPlaneBytes: residentBytes(control),
    workerBytes: workers.reduce((sum, pid) => sum + residentBytes(pid), 0),
    workers: workers.length,
    openFiles: [control, ...workers].flatMap(filesOf).length,
    temporaryFiles: readdirSync(join(server.folder, 'tmp'), { recursive: true, withFileTypes: true }).filter((file) =>
      file.isFile(),
    ).length,
  };
}

function residentBytes(/** @type {number} */ pid) {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
}

function childrenOf(/** @type {number} */ pid) {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

/** Files, sockets and pipes that a process holds open. */
function filesOf(/** @type {number} */ pid) {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((number) => {
    try {
      return [readlinkSync(join(folder, number))];
    } catch {
      // Closed since.
      return [];
    }
  });
}

/** The evidence of all sessions: each has one outcome, and none left anything in the engine. */
function recorded(/** @type {string} */ folder) {
  const intents = new Set();
  const found = {
    sessions: 0,
    withoutOutcome: 0,
    withResidue: 0,
    byStatus: /** @type {Record<string, number>} */ ({}),
  };
  const segments = join(folder, '.ambit/evidence');
  for (const file of readdirSync(segments).filter((name) => name.endsWith('.segment'))) {
    for (const line of readFileSync(join(segments, file), 'utf8').split('\n').slice(1)) {
      if (line === '') continue;
      const record = JSON.parse(line.slice(65));
      if (record.type === 'session.intent') intents.add(record.session);
      if (record.type !== 'session.outcome') continue;
      intents.delete(record.session);
      found.sessions += 1;
      found.byStatus[record.status] = (found.byStatus[record.status] ?? 0) + 1;
      const residue = record.engine?.residue;
      if (residue === undefined || Object.values(residue).some((amount) => amount !== 0)) found.withResidue += 1;
    }
  }
  return { ...found, withoutOutcome: intents.size };
}
