import { appendFile, cp, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { canonical, sha256 } from '../src/canonical.ts';
import { entryOf } from '../src/entry.ts';
import { openLog } from '../src/log.ts';
import { leafHash } from '../src/merkle.ts';
import type { Problem } from '../src/problem.ts';
import type { EvidenceRecord, Json } from '../src/record.ts';
import { type Trust, verifyLog } from '../src/verify.ts';
import { resign, say, split } from './forger.ts';
import { forge, freshFolder, intent, refusal, runSession } from './support.ts';

// What somebody with write access to the folder, and without the key, could do to it: each is detected, and named.

let original: string;
let key: string;
let kept: string;
/** `seq` of the first record of the middle segment. */
let first: number;

const middle = '00000002.segment';
const last = '00000003.segment';

beforeAll(async () => {
  original = await mkdtemp(join(tmpdir(), 'ambit-evidence-'));
  for (let boot = 0; boot < 3; boot += 1) {
    const log = await openLog({ folder: original, ambit: '0.1.0' });
    await Promise.all(Array.from({ length: 150 }, (_, at) => runSession(log, `${boot}-${at}`)));
    await log.append(intent(`${boot}-open`));
    if (boot === 1) kept = log.checkpoint();
    ({ key } = log);
    await log.close();
  }
  const { header } = split(await readFile(join(original, middle), 'utf8'));
  first = (JSON.parse(header) as { first: number }).first;
  return async () => {
    await rm(original, { recursive: true, force: true });
    await rm(`${original}.key`);
  };
});

type Change = (lines: string[]) => void;

/** Rewrites the records of a segment, line by line. */
const lines =
  (name: string, change: Change) =>
  async (folder: string): Promise<void> => {
    const path = join(folder, name);
    const { header, lines: found } = split(await readFile(path, 'utf8'));
    change(found);
    await writeFile(path, [header, ...found, ''].join('\n'));
  };

const header =
  (name: string, change: { readonly [key: string]: Json }) =>
  async (folder: string): Promise<void> => {
    const path = join(folder, name);
    const { header: text, lines: found } = split(await readFile(path, 'utf8'));
    await writeFile(path, [canonical({ ...(JSON.parse(text) as object), ...change }), ...found, ''].join('\n'));
  };

const flip =
  (name: string, at: (size: number) => number) =>
  async (folder: string): Promise<void> => {
    const path = join(folder, name);
    const bytes = await readFile(path);
    const place = at(bytes.length);
    bytes[place] = (bytes[place] as number) ^ 1;
    await writeFile(path, bytes);
  };

/** Zeros where a record was. */
const zeros = (name: string, at: number): Case['change'] =>
  lines(name, (found) => (found[at] = '\0'.repeat(found[at]?.length ?? 0)));

/** A log of somebody else, of the same shape. */
async function stranger(): Promise<string> {
  const folder = await freshFolder();
  for (let boot = 0; boot < 3; boot += 1) {
    const log = await openLog({ folder, ambit: '0.1.0' });
    await log.append(refusal('x'));
    await log.close();
  }
  return folder;
}

interface Case {
  readonly name: string;
  readonly change: (folder: string) => Promise<void>;
  readonly found: Partial<Problem> | (() => Partial<Problem>);
  readonly trust?: () => Trust;
}

const cases: readonly Case[] = [
  { name: 'a bit of a record', change: flip(middle, (size) => size - 300), found: { kind: 'changed', segment: 2 } },
  {
    name: "a bit of a record's digest",
    change: lines(middle, (found) => (found[9] = `${found[9]?.startsWith('0') ? 1 : 0}${found[9]?.slice(1)}`)),
    found: () => ({ kind: 'changed', records: [first + 9, first + 9] }),
  },
  {
    name: 'a field, and the digest with it',
    change: lines(middle, (found) => (found[4] = say(found[4], { purpose: 'audit' }))),
    found: () => ({ kind: 'changed', segment: 2, records: [first + 4, first + 4] }),
  },
  {
    name: 'a field of the last record',
    change: lines(last, (found) => found.push(say(found.pop(), { at: '2030-01-01T00:00:00.000000Z' }))),
    found: { kind: 'changed', segment: 3 },
  },
  {
    name: 'zeros in the place of a record, as where nothing was written yet',
    change: zeros(middle, 7),
    found: () => ({ kind: 'missing', segment: 2 }),
  },
  {
    name: 'zeros in the place of a record of the last segment',
    change: zeros(last, 7),
    found: { kind: 'cut', segment: 3 },
  },
  {
    name: 'a record that is taken out',
    change: lines(middle, (found) => found.splice(3, 1)),
    found: () => ({ kind: 'missing', records: [first + 3, first + 3] }),
  },
  {
    name: 'several records that are taken out',
    change: lines(middle, (found) => found.splice(10, 40)),
    found: () => ({ kind: 'missing', records: [first + 10, first + 49] }),
  },
  {
    name: 'a record taken out, and all later ones renumbered',
    change: lines(middle, (found) => {
      found.splice(3, 1);
      for (let at = 3; at < found.length; at += 1) found[at] = say(found[at], { seq: first + at });
    }),
    found: () => ({ kind: 'changed', records: [first + 3, first + 3] }),
  },
  {
    name: 'a record that is there twice',
    change: lines(middle, (found) => found.splice(3, 0, found[3] as string)),
    found: () => ({ kind: 'inserted', records: [first + 3, first + 3] }),
  },
  {
    name: 'a record that nobody wrote',
    change: lines(middle, (found) => found.splice(3, 0, forge(refusal('x') as unknown as Json).trimEnd())),
    found: { kind: 'inserted', segment: 2 },
  },
  {
    name: 'two records in the other order',
    change: lines(middle, (found) => found.splice(3, 2, found[4] as string, found[3] as string)),
    found: { kind: 'moved', segment: 2 },
  },
  {
    name: 'a record put into another segment',
    change: async (folder) => {
      let moved = '';
      await lines(middle, (found) => (moved = found.splice(5, 1)[0] as string))(folder);
      await lines(last, (found) => found.splice(5, 0, moved))(folder);
    },
    found: () => ({ kind: 'missing', records: [first + 5, first + 5] }),
  },
  {
    name: 'spaces under a digest that fits',
    change: lines(last, (found) => {
      const json = (found[2] as string).slice(65).replace('{', '{ ');
      found[2] = `${sha256(json)} ${json}`;
    }),
    found: { kind: 'changed', segment: 3, reason: expect.stringContaining('canonical') as unknown as string },
  },
  {
    name: 'a member that is there twice',
    change: lines(last, (found) => {
      const json = (found[2] as string).slice(65).replace('"v":1', '"v":1,"v":1');
      found[2] = `${sha256(json)} ${json}`;
    }),
    found: { kind: 'changed', segment: 3, reason: expect.stringContaining('canonical') as unknown as string },
  },
  {
    name: 'a line that is not JSON',
    change: lines(last, (found) => (found[2] = `${sha256('not JSON')} not JSON`)),
    found: { kind: 'changed', segment: 3 },
  },
  {
    name: 'a line that holds a fraction',
    change: lines(last, (found) => (found[2] = `${sha256('{"a":1.5}')} {"a":1.5}`)),
    found: { kind: 'changed', segment: 3 },
  },
  {
    name: 'a line without an end, in the middle',
    change: async (folder) => truncate(join(folder, middle), (await readFile(join(folder, middle))).length - 5),
    found: { kind: 'missing', segment: 2 },
  },
  {
    name: 'a segment that is gone',
    change: (folder) => rm(join(folder, middle)),
    found: () => ({ kind: 'missing', segment: 2, records: [first, expect.any(Number)] }),
  },
  {
    name: 'the first segment gone',
    change: (folder) => rm(join(folder, '00000001.segment')),
    found: () => ({ kind: 'missing', segment: 1, records: [0, first - 1] }),
  },
  { name: 'the last segment gone', change: (folder) => rm(join(folder, last)), found: { kind: 'cut' } },
  {
    name: 'all segments gone',
    change: async (folder) => {
      for (const name of ['00000001.segment', middle, last]) await rm(join(folder, name));
    },
    found: { kind: 'cut' },
  },
  {
    name: 'records cut from the end',
    change: lines(last, (found) => found.splice(-3, 3)),
    found: { kind: 'cut', segment: 3 },
  },
  {
    name: 'half a record cut from the end',
    change: async (folder) => truncate(join(folder, last), (await readFile(join(folder, last))).length - 5),
    found: { kind: 'cut', segment: 3 },
  },
  {
    name: 'two segments that changed places',
    change: async (folder) => {
      await rename(join(folder, middle), join(folder, 'held'));
      await rename(join(folder, last), join(folder, middle));
      await rename(join(folder, 'held'), join(folder, last));
    },
    found: { kind: 'header', segment: 2 },
  },
  {
    name: 'a segment of another log',
    change: async (folder) => cp(join(await stranger(), middle), join(folder, middle)),
    found: { kind: 'header', segment: 2, reason: expect.stringContaining('belongs to the log') as unknown as string },
  },
  { name: 'a header that cannot be read', change: flip(middle, () => 3), found: { kind: 'header', segment: 2 } },
  ...(['open', 'log', 'segment', 'after'] as const).map(
    (member): Case => ({
      name: `\`${member}\` of a header`,
      change: header(last, {
        [member]: { open: [], log: 'another', segment: 9, after: '2030-01-01T00:00:00.000000Z' }[member],
      }),
      found: { kind: 'header', segment: 3 },
    }),
  ),
  {
    name: 'the checkpoint of a header',
    change: header(last, { checkpoint: 'x' }),
    found: { kind: 'checkpoint', segment: 3 },
  },
  { name: 'the checkpoint gone', change: (folder) => rm(join(folder, 'checkpoint')), found: { kind: 'checkpoint' } },
  {
    name: 'an older checkpoint, and the log cut back to it',
    change: async (folder) => {
      await writeFile(join(folder, 'checkpoint'), kept);
      await rm(join(folder, last));
    },
    trust: () => ({ checkpoints: [whole] }),
    found: { kind: 'cut' },
  },
  {
    name: 'a checkpoint of another size, its signature kept',
    change: async (folder) => {
      const text = await readFile(join(folder, 'checkpoint'), 'utf8');
      await writeFile(
        join(folder, 'checkpoint'),
        text.replace(/\n([0-9]+)\n/, (_, size: string) => `\n${Number(size) - 1}\n`),
      );
    },
    found: { kind: 'key' },
  },
  { name: 'a tile', change: flip('tile/0/000', () => 40), found: { kind: 'tile' } },
  {
    name: 'a tile gone',
    change: (folder) => rm(join(folder, 'tile/0/001')),
    found: { kind: 'tile', reason: expect.stringContaining('tile/0/001') as unknown as string },
  },
  {
    name: 'an upper tile',
    change: async (folder) => {
      const widths = (await readdir(join(folder, 'tile/1/000.p'))).map(Number);
      const name = Math.max(...widths);
      await flip(`tile/1/000.p/${name}`, () => 1)(folder);
    },
    found: { kind: 'tile', reason: expect.stringContaining('tile/1/000') as unknown as string },
  },
  {
    name: 'an entry bundle',
    change: flip('tile/entries/000', () => 40),
    found: { kind: 'tile', reason: expect.stringContaining('tile/entries/000') as unknown as string },
  },
  {
    name: 'a record, and its leaf in the tree with it',
    change: async (folder) => {
      await lines(middle, (found) => (found[4] = say(found[4], { purpose: 'audit' })))(folder);
      const path = join(folder, 'tile/0/001');
      const hashes = await readFile(path);
      const at = first + 4 - 256;
      const { lines: found } = split(await readFile(join(folder, middle), 'utf8'));
      const record = JSON.parse((found[4] as string).slice(65)) as EvidenceRecord;
      leafHash(entryOf(record, (found[4] as string).slice(0, 64))).copy(hashes, at * 32);
      await writeFile(path, hashes);
    },
    found: { kind: 'tile' },
  },
  {
    name: 'all of it, signed by a key of the own',
    change: async (folder) => {
      await lines(middle, (found) => (found[4] = say(found[4], { purpose: 'audit' })))(folder);
      await resign(folder);
    },
    trust: () => ({ key }),
    found: { kind: 'key', reason: 'the log was never signed by the trusted key' },
  },
  {
    name: 'all of it, signed by a key of the own, against a kept checkpoint',
    change: async (folder) => {
      await lines(middle, (found) => (found[4] = say(found[4], { purpose: 'audit' })))(folder);
      await resign(folder);
    },
    trust: () => ({ checkpoints: [kept] }),
    found: { kind: 'forked' },
  },
  {
    name: 'a handing over of the key that the old one never signed',
    change: lines(last, (found) =>
      found.splice(
        2,
        1,
        say(found[2], { type: 'key.rotated', from: key, to: key, signatures: { from: 'AA==', to: 'AA==' } }),
      ),
    ),
    found: { kind: 'key', segment: 3 },
  },
  {
    name: 'an outcome given to another session',
    change: lines(last, (found) => {
      const at = found.findIndex((line) => line.includes('"type":"session.outcome"'));
      found[at] = say(found[at], { session: 'nobody' });
    }),
    found: { kind: 'story', segment: 3 },
  },
  {
    name: 'a time that goes back',
    change: lines(last, (found) => (found[4] = say(found[4], { at: '2000-01-01T00:00:00.000000Z' }))),
    found: { kind: 'story', segment: 3 },
  },
];

/** A checkpoint of the whole log. */
let whole: string;
beforeAll(async () => {
  whole = await readFile(join(original, 'checkpoint'), 'utf8');
});

describe('whoever changes', () => {
  it.each(cases)('$name, is found out', async ({ change, found, trust }) => {
    const folder = await freshFolder();
    await cp(original, folder, { recursive: true });
    await change(folder);
    const { problems } = await verifyLog(folder, trust?.() ?? {});
    const expected = typeof found === 'function' ? found() : found;
    expect(problems).toContainEqual(expect.objectContaining(expected));
  });

  it('nothing, is not accused', async () => {
    expect((await verifyLog(original, { key, checkpoints: [kept, whole] })).problems).toEqual([]);
    expect((await verifyLog(original, { key })).trusted).toBe(true);
  });

  it('what lies in `.torn` or in an index changes nothing in the log', async () => {
    const folder = await freshFolder();
    await cp(original, folder, { recursive: true });
    await appendFile(join(folder, `${middle}.torn`), 'x');
    await appendFile(join(folder, `${middle}.index`), 'x');
    expect((await verifyLog(folder)).problems).toEqual([]);
  });
});

describe('a log shown in two forms', () => {
  it('is found out by whoever has a checkpoint of each', async () => {
    const [one, other] = [await freshFolder(), await freshFolder()];
    for (const folder of [one, other]) {
      await cp(original, folder, { recursive: true });
      await cp(`${original}.key`, `${folder}.key`);
      const log = await openLog({ folder, ambit: '0.1.0' });
      await runSession(log, folder);
      await log.close();
    }
    const shown = await readFile(join(one, 'checkpoint'), 'utf8');
    expect((await verifyLog(one, { key, checkpoints: [shown] })).problems).toEqual([]);
    const { problems } = await verifyLog(other, { key, checkpoints: [shown] });
    expect(problems).toContainEqual(expect.objectContaining({ kind: 'forked' }));
  });
});
