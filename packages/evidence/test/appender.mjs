// Runs sessions until it is killed or told to stop. Says on stdout what the log acknowledged, and nothing else:
// `intent ID`, `outcome ID`, `refused CODE`.
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { openLog } from '../dist/index.js';

const THINK_MS = 5;

const [folder, clients, options = '{}', stays = 'stays'] = process.argv.slice(2);
const say = (line) => writeSync(1, `${line}\n`);

const log = await openLog({ folder, ambit: '0.1.0', ...JSON.parse(options) });
say('open');

const tell = async (kind, id, appended) => {
  try {
    const record = await appended;
    say(`${kind} ${id}`);
    return record;
  } catch (error) {
    const fenced = log.failure()?.startsWith('evidence_fenced') === true;
    say(`refused ${fenced ? 'evidence_fenced' : error.code}`);
    await pause(THINK_MS);
    return null;
  }
};

async function runSession(name, run) {
  const session = `${process.pid}-${name}`;
  const waiting = log.ensureGrant('sha256:grant', { tables: {} }).catch(() => undefined);
  const intent = await tell(
    'intent',
    session,
    log.append({
      type: 'session.intent',
      session,
      request: session,
      product: 'flights',
      version: '1.0.0',
      environment: 'test',
      fingerprint: 'sha256:boundary',
      grant: 'sha256:grant',
      subject: { tenant: 'north', principal: name },
      purpose: 'operations',
      scope: 'request',
      statement: { kind: 'sql', name: null, sql: 'SELECT 1', digest: 'none', parameters: {} },
      format: 'json',
      limits: {},
      credentials: [],
      traceparent: null,
    }),
  );
  await waiting;
  if (intent === null) return;
  await run();
  const ended = { status: 'completed', error: null, rows: 1, bytes: 1, engine: null, steps: {} };
  await tell('outcome', session, log.append({ type: 'session.outcome', session, intent: intent.seq, ...ended }));
}

// Where servers share a log, what they write is read by whoever writes: it need not be more than they write at the same time.
const shared = options !== '{}';
const think = () => (shared ? pause(THINK_MS) : undefined);

async function client(name) {
  for (let count = 0; ; count += 1) await runSession(`${name}-${count}`, think);
}

// Where servers share a log, one session of each that does not end by itself.
if (shared && stays === 'stays') void runSession('open', () => new Promise(() => {}));
for (let at = 0; at < Number(clients); at += 1) void client(`c${at}`);
