import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { parseCheckpoint } from '../src/checkpoint.ts';
import { EvidenceDamaged, EvidenceWitnessInvalid } from '../src/errors.ts';
import { type EvidenceLog, openLog } from '../src/log.ts';
import { type Receipt, verifyReceipt } from '../src/receipt.ts';
import { partialPaths } from '../src/tiles.ts';
import { verifyLog } from '../src/verify.ts';
import { freshFolder, runSession } from './support.ts';
import { type Mood, signedBy, startWitness, type TestWitness } from '../../../tests/witness.ts';

interface Opened {
  readonly log: EvidenceLog;
  readonly told: string[];
}

/** A log whose witnesses trust it. */
async function witnessed(folder: string, ...witnesses: readonly TestWitness[]): Promise<Opened> {
  const told: string[] = [];
  const known = await openLog({ folder, ambit: '0.1.0' });
  const { key } = known;
  await known.close();
  for (const { trusts } of witnesses) trusts.add(key);
  const log = await openLog({ folder, ambit: '0.1.0', witnesses, tell: (message) => void told.push(message) });
  onTestFinished(() => log.close());
  return { log, told };
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = Date.now() + 15_000; !(await holds()); await pause(50)) {
    if (Date.now() > end) throw new Error(`it never came: ${what}`);
  }
}

const sizeOf = (note: string | null): number => (note === null ? -1 : (parseCheckpoint(note)?.size ?? -1));
const headOf = async (folder: string): Promise<string> => readFile(join(folder, 'checkpoint'), 'utf8');
const caughtUp = (log: EvidenceLog) => async (): Promise<boolean> =>
  sizeOf(log.cosigned()) === sizeOf(log.checkpoint());

it('cosigns what was published, and whoever asks for its signature finds it', { timeout: 40_000 }, async () => {
  const folder = await freshFolder();
  const [one, two] = [await startWitness(), await startWitness('other.example')];
  const { log, told } = await witnessed(folder, one, two);
  await until('the first', caughtUp(log));
  await Promise.all(Array.from({ length: 300 }, (_, at) => runSession(log, `s${at}`)));
  await until('the next', caughtUp(log));
  await until('both', () => signedBy(log.checkpoint(), one.key) && signedBy(log.checkpoint(), two.key));
  expect(signedBy(log.checkpoint(), log.key)).toBe(true);
  expect(signedBy(await headOf(folder), two.key)).toBe(true);
  const receipt = (await log.receipt('s7')) as Receipt;
  expect(signedBy(receipt.checkpoint, one.key)).toBe(true);
  expect(verifyReceipt(receipt, log.key).holds).toBe(true);
  const witnesses = [one.key, two.key];
  const found = await verifyLog(folder, { key: log.key, witnesses });
  expect(found).toMatchObject({ problems: [], witnessed: [{ size: 603 }, { size: 603 }] });
  expect(Math.abs(Date.parse(found.witnessed[0]?.at ?? '') - Date.now())).toBeLessThan(60_000);

  // What comes later is in the log, and not cosigned yet.
  one.mood = two.mood = 'refuses';
  await runSession(log, 'later');
  await until('the checkpoint', async () => sizeOf(await headOf(folder)) === 605);
  expect(await verifyLog(folder, { witnesses })).toMatchObject({
    problems: [],
    signed: 605,
    witnessed: [{ size: 603 }, { size: 603 }],
  });
  expect(signedBy((await log.receipt('s7'))?.checkpoint ?? '', one.key)).toBe(true);
  expect(sizeOf((await log.receipt('later'))?.checkpoint ?? '')).toBe(605);
  for (const path of partialPaths(603)) await readFile(join(folder, path));
  await until('that it is told', () => told.length === 2);
  expect(told[0]).toMatch(/^witness \S+ does not cosign: .*\(403\)/);
  expect(told.join('')).not.toContain('SECRET');
  one.mood = 'cosigns';
  await until('that it is told', () => told.length === 3);
  expect(told[2]).toBe('witness witness.example/w1 cosigns again');
  // The other one has not cosigned the newest, and what it has cosigned is kept.
  const later = await verifyLog(folder, { witnesses });
  expect(later).toMatchObject({ problems: [], witnessed: [{ size: 605 }, { size: 603 }] });
});

it('remembers what it cosigned itself: a start asks it', { timeout: 40_000 }, async () => {
  const folder = await freshFolder();
  const witness = await startWitness();
  const { log } = await witnessed(folder, witness);
  await runSession(log, 's1');
  await log.close();
  // The last word before the end is cosigned too.
  expect(sizeOf(await headOf(folder))).toBe(6);
  expect(signedBy(await headOf(folder), witness.key)).toBe(true);
  witness.answered.length = 0;
  const { log: again, told } = await witnessed(folder, witness);
  expect(sizeOf(again.cosigned())).toBe(6);
  await until('the next', caughtUp(again));
  expect(witness.answered.slice(0, 2)).toEqual([409, 200]);
  expect(told).toEqual([]);
});

const failing: readonly (readonly [Mood, RegExp])[] = [
  ['unknown', /does not know this log \(404\)/],
  ['hangs', /does not answer/],
  ['floods', /more than 65536 bytes/],
  ['redirects', /answers 307/],
  ['signs something else', /no cosignature of its key that holds/],
  ['says any size', /does not say which size/],
  ['says no size', /answers 409, and no size/],
];

it.each(failing)('that %s loses nothing, and is told', { timeout: 40_000 }, async (mood, reason) => {
  const folder = await freshFolder();
  const [good, bad] = [await startWitness('good.example'), await startWitness('bad.example')];
  bad.mood = mood;
  const { log, told } = await witnessed(folder, good, bad);
  await Promise.all(Array.from({ length: 50 }, (_, at) => runSession(log, `s${at}`)));
  // Nobody waited for a witness that does not answer.
  if (mood === 'hangs') expect(told).toEqual([]);
  await until('that it is told', () => told.length > 0);
  expect(told).toEqual([expect.stringMatching(reason)]);
  expect(told[0]).not.toContain('SECRET');
  await until('the good one', caughtUp(log));
  expect(signedBy(log.cosigned() ?? '', bad.key)).toBe(false);
  expect(
    (await readdir(folder)).filter((name) => name.startsWith('checkpoint.') && !name.endsWith('.new')),
  ).toHaveLength(2);
  await log.close();
  const found = await verifyLog(folder, { key: log.key, witnesses: [good.key, bad.key] });
  expect(found.problems.map((problem) => problem.reason)).toEqual([
    'no checkpoint of the log is cosigned by bad.example',
  ]);
});

it('does not cosign another history, and says that there was one', { timeout: 40_000 }, async () => {
  const [folder, copy] = [await freshFolder(), await freshFolder()];
  const witness = await startWitness();
  const { log } = await witnessed(folder, witness);
  await log.close();
  await cp(folder, copy, { recursive: true });
  await cp(`${folder}.key`, `${copy}.key`);
  const { log: first } = await witnessed(folder, witness);
  for (let at = 0; at < 5; at += 1) await runSession(first, `first-${at}`);
  await first.close();
  // Who has the key goes on from an older copy: shorter at first, then another one of any length.
  await rm(join(copy, 'lock'), { force: true });
  const { log: second, told } = await witnessed(copy, witness);
  await until('that it is told', () => told.length > 0);
  expect(told[0]).toMatch(/has cosigned 18 records of this log, and there are [0-9]+: was it cut back/);
  for (let at = 0; at < 20; at += 1) await runSession(second, `second-${at}`);
  await second.close();
  const { log: third, told: later } = await witnessed(copy, witness);
  await until('that it is told', () => later.length > 0);
  expect(later[0]).toMatch(/refuses the proof that this log only grew \(422\)/);
  await third.close();
  expect((await verifyLog(folder, { witnesses: [witness.key] })).problems).toEqual([]);
  // What the witness signed is of the other history: put into this folder it is told apart.
  await cp(join(folder, 'checkpoint.cosigned'), join(copy, 'checkpoint.cosigned'));
  expect((await verifyLog(copy)).problems.map(({ kind }) => kind)).toEqual(['forked']);
});

it('has seen more than is there: nothing is added to such a log', { timeout: 40_000 }, async () => {
  const folder = await freshFolder();
  const witness = await startWitness();
  const { log } = await witnessed(folder, witness);
  await log.close();
  const path = join(folder, 'checkpoint.cosigned');
  const note = await readFile(path, 'utf8');
  await writeFile(path, note.replace(/\n[0-9]+\n/, '\n99\n'));
  await expect(openLog({ folder, ambit: '0.1.0' })).rejects.toThrow(EvidenceDamaged);
  expect((await verifyLog(folder)).problems.map(({ kind }) => kind)).toContain('cut');
});

it('that cannot be asked, or checked, is refused by name', async () => {
  const folder = await freshFolder();
  const { key, url } = await startWitness();
  const opened = (over: object): Promise<EvidenceLog> =>
    openLog({ folder, ambit: '0.1.0', witnesses: [{ key, url, ...over }] });
  const wrong: readonly (readonly [object, string])[] = [
    [{ key: 'none' }, 'is no verifier key of a witness'],
    [{ key: key.replace('+B', '+C') }, 'is no verifier key of a witness'],
    [{ url: 'witness.example' }, 'is no http or https URL'],
    [{ url: 'http://witness.example' }, 'is not https'],
    [{ url: 'https://me:SECRET@witness.example' }, 'holds a credential'],
    [{ url: 'https://witness.example/?a' }, 'has more than a path'],
  ];
  for (const [over, reason] of wrong) {
    const error = await opened(over).catch((thrown: Error) => thrown);
    expect(error).toBeInstanceOf(EvidenceWitnessInvalid);
    expect((error as Error).message).toContain(reason);
    expect((error as Error).message).not.toContain('SECRET');
  }
  expect(await readdir(folder)).toEqual([]);
});
