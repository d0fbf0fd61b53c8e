import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { tmpdir } from 'node:os';
import { canonical, sha256 } from '../src/canonical.ts';
import { openLog } from '../src/log.ts';
import type { EvidenceRecord, Json } from '../src/record.ts';
import { verifySegments, type Verification } from '../src/verify.ts';
import { FaultyDisk } from './faulty-disk.ts';
import { forge, freshFolder, intent, type Line, linesOf, outcome, refusal, runSession } from './support.ts';

let original: string;
const last = '00000003.segment';
const middle = '00000002.segment';

beforeAll(async () => {
  original = await mkdtemp(join(tmpdir(), 'ambit-evidence-'));
  for (let boot = 0; boot < 3; boot += 1) {
    const log = await openLog({ folder: original, ambit: '0.1.0' });
    for (let at = 0; at < 3; at += 1) await runSession(log, `${boot}-${at}`);
    await log.append(intent(`${boot}-open`));
    await log.close();
  }
  return () => rm(original, { recursive: true, force: true });
});

async function copy(): Promise<string> {
  const folder = await freshFolder();
  await cp(original, folder, { recursive: true });
  return folder;
}

/** Verifies a copy whose segment was rewritten line by line, the header first. */
async function rewritten(name: string, change: (texts: string[]) => void): Promise<Verification> {
  const folder = await copy();
  const texts = (await readFile(join(folder, name), 'utf8')).split('\n');
  change(texts);
  await writeFile(join(folder, name), texts.join('\n'));
  return verifySegments(folder);
}

/** A line that says something else, with a digest that fits. */
function forged(text: string, change: { readonly [key: string]: Json }): string {
  return forge({ ...(JSON.parse(text.slice(65)) as object), ...change }).trimEnd();
}

describe('the verifier', () => {
  it('finds nothing in a log that nobody changed', async () => {
    const { segments, records, problems } = await verifySegments(original);
    expect({ segments, problems }).toEqual({ segments: 3, problems: [] });
    const lines = await Promise.all([1, 2, 3].map((at) => readFile(join(original, `0000000${at}.segment`))));
    expect(records).toBe(lines.reduce((sum, bytes) => sum + linesOf(bytes).lines.length, 0));
  });

  it('reads only', async () => {
    const folder = await copy();
    const contents = async (): Promise<readonly string[]> =>
      Promise.all((await readdir(folder)).map(async (name) => `${name} ${sha256(await readFile(join(folder, name)))}`));
    const before = await contents();
    await verifySegments(folder);
    expect(await contents()).toEqual(before);
  });

  it('names the place of every bit that flips in a record', async () => {
    const bytes = await readFile(join(original, middle));
    const { lines } = linesOf(bytes);
    const disk = new FaultyDisk();
    const path = (name: string): string => join('/log', name);
    for (const name of ['00000001.segment', last]) {
      disk.files.set(path(name), { bytes: await readFile(join(original, name)), durable: Buffer.alloc(0) });
    }
    for (const { offset, length } of [lines[0], lines[3], lines.at(-1)] as Line[]) {
      for (let bit = 0; bit < (length + 1) * 8; bit += 5) {
        const flipped = Buffer.from(bytes);
        const at = offset + (bit >> 3);
        flipped[at] = (flipped[at] as number) ^ (1 << (bit & 7));
        disk.files.set(path(middle), { bytes: flipped, durable: flipped });
        const { problems } = await verifySegments('/log', disk);
        expect(problems[0], `bit ${bit & 7} of byte ${at}`).toMatchObject({ segment: 2, offset });
      }
    }
  });

  it('finds a record that was removed, doubled, or moved', async () => {
    const removed = await rewritten(middle, (texts) => texts.splice(3, 1));
    const doubled = await rewritten(middle, (texts) => texts.splice(3, 0, texts[3] as string));
    const moved = await rewritten(middle, (texts) => texts.splice(3, 2, texts[4] as string, texts[3] as string));
    for (const { problems } of [removed, doubled, moved]) expect(problems[0]).toMatchObject({ segment: 2 });
  });

  it('finds a record that was changed together with its digest, when a segment follows', async () => {
    const { problems } = await rewritten(
      middle,
      (texts) => (texts[2] = forged(texts[2] as string, { purpose: 'audit' })),
    );
    expect(problems).toMatchObject([{ segment: 3, reason: expect.stringContaining('does not continue') }]);
  });

  it('finds a record removed with all later ones renumbered', async () => {
    const { problems } = await rewritten(middle, (texts) => {
      texts.splice(3, 1);
      for (let at = 3; at < texts.length - 1; at += 1) {
        const { seq } = JSON.parse((texts[at] as string).slice(65)) as EvidenceRecord;
        texts[at] = forged(texts[at] as string, { seq: seq - 1 });
      }
    });
    expect(problems[0]).toMatchObject({ segment: 3 });
  });

  it('finds a segment that was removed, cut, swapped, or belongs to another log', async () => {
    const missing = await copy();
    await rm(join(missing, middle));
    expect((await verifySegments(missing)).problems).not.toEqual([]);

    expect((await rewritten(middle, (texts) => texts.splice(-3, 2))).problems[0]).toMatchObject({ segment: 3 });

    const swapped = await copy();
    await rename(join(swapped, middle), join(swapped, 'held'));
    await rename(join(swapped, last), join(swapped, middle));
    await rename(join(swapped, 'held'), join(swapped, last));
    expect((await verifySegments(swapped)).problems).not.toEqual([]);

    const stranger = await freshFolder();
    for (let boot = 0; boot < 2; boot += 1) {
      const log = await openLog({ folder: stranger, ambit: '0.1.0' });
      await log.append(refusal('x'));
      await log.close();
    }
    const mixed = await copy();
    await cp(join(stranger, middle), join(mixed, middle));
    expect((await verifySegments(mixed)).problems).not.toEqual([]);
  });

  it('finds spaces, reordered members and doubled members, even under a digest that fits', async () => {
    for (const change of [
      (json: string) => json.replace('{', '{ '),
      (json: string) => json.replace('"v":1}', '"v":1,"v":1}'),
      (json: string) => `{"zz":0,${json.slice(1)}`,
    ]) {
      const { problems } = await rewritten(last, (texts) => {
        const json = change((texts[2] as string).slice(65));
        texts[2] = `${sha256(json)} ${json}`;
      });
      expect(problems[0]).toMatchObject({ segment: 3, reason: expect.stringContaining('canonical') });
    }
  });
});

describe('known faults of the verifier', () => {
  it.fails.each(['not JSON', '{"a":1.5}'])(
    'a line that holds `%s` under a fitting digest is a problem, not a crash',
    async (json) => {
      const { problems } = await rewritten(last, (texts) => (texts[2] = `${sha256(json)} ${json}`));
      expect(problems[0]).toMatchObject({ segment: 3 });
    },
  );

  it.fails.each([
    ['open', []],
    ['log', 'another'],
    ['segment', 9],
  ] as const)('`%s` of a header is checked', async (key, value) => {
    const { problems } = await rewritten(last, (texts) => {
      const header = { ...(JSON.parse(texts[0] as string) as { [key: string]: Json }), [key]: value as Json };
      texts[0] = canonical(header);
    });
    expect(problems).not.toEqual([]);
  });

  it.fails('an outcome that answers no intent is a problem', async () => {
    const { problems } = await rewritten(last, (texts) => {
      const at = texts.findIndex((text) => text.includes('"type":"session.outcome"'));
      texts[at] = forged(texts[at] as string, { session: 'nobody' });
    });
    expect(problems).not.toEqual([]);
  });

  it.fails('a time that goes back is a problem', async () => {
    const { problems } = await rewritten(last, (texts) => {
      texts[4] = forged(texts[4] as string, { at: '2000-01-01T00:00:00.000000Z' });
    });
    expect(problems).not.toEqual([]);
  });

  it.fails('an abandoned tail that could not be cut off is not a problem: the next header says where it begins', async () => {
    const disk = new FaultyDisk();
    const folder = await freshFolder();
    const log = await openLog({ folder, ambit: '0.1.0', files: disk });
    const { seq } = await log.append(intent('s1'));
    let failing = true;
    disk.fault = (step, name) => (failing && name === '00000001.segment' && step !== 'append' ? 'EIO' : null);
    await expect(log.append(refusal('lost'))).rejects.toThrow();
    failing = false;
    await log.append(outcome('s1', seq));
    await log.close();
    expect((await verifySegments(folder, disk)).problems).toEqual([]);
  });
});
