import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type EvidenceLog, openLog } from '../src/log.ts';
import { verifyReceipt } from '../src/receipt.ts';
import { fetchLog } from '../src/shared/fetch.ts';
import { verifyLog } from '../src/verify.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { freshFolder, intent, outcome, readRecords, refusal, runSession } from './support.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.close());

let schemas = 0;

/** Servers of one log, each with a folder of its own. */
async function sharedLog() {
  const schema = `log_${(schemas += 1)}`;
  const key = `${await freshFolder()}.key`;
  onTestFinished(() => rm(key, { force: true }));
  const open = async (folder?: string): Promise<{ log: EvidenceLog; folder: string }> => {
    const own = folder ?? (await freshFolder());
    const log = await openLog({ folder: own, key, ambit: '0.1.0', shared: postgres.options(schema) });
    onTestFinished(() => log.close());
    return { log, folder: own };
  };
  return { schema, key, open };
}

/** Segments and checkpoint of a folder, by name. */
async function contents(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.segment') || name === 'checkpoint');
  const read = await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')]));
  return Object.fromEntries(read) as Record<string, string>;
}

describe('a log that servers share', () => {
  it('is one log, the same on each of them, and verifies', async () => {
    const { open, schema } = await sharedLog();
    const [a, b] = [await open(), await open()];
    await Promise.all(Array.from({ length: 40 }, (_, at) => runSession(at % 2 === 0 ? a.log : b.log, `s${at}`)));
    expect(await b.log.session('s0')).toMatchObject({ outcome: { status: 'completed' } });
    expect(await a.log.session('s1')).toMatchObject({ outcome: { status: 'completed' } });
    const receipt = await b.log.receipt('s0');
    expect(verifyReceipt(receipt as never, a.log.key)).toMatchObject({ holds: true });
    await a.log.close();
    await b.log.close();
    const late = await open(a.folder);
    await late.log.close();
    const fetched = await mkdtemp(join(tmpdir(), 'ambit-fetched-'));
    onTestFinished(() => rm(fetched, { recursive: true }));
    expect(await fetchLog(postgres.options(schema), fetched)).toMatchObject({ key: a.log.key });
    expect(await contents(fetched)).toEqual(await contents(a.folder));
    for (const folder of [a.folder, b.folder, fetched]) {
      expect((await verifyLog(folder, { key: a.log.key })).problems).toEqual([]);
    }
    const records = await readRecords(fetched);
    expect(records.map(({ seq }) => seq)).toEqual(records.map((_, at) => at));
    expect(records.filter(({ type }) => type === 'server.lost')).toEqual([]);
  });
});
