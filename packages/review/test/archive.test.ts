import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyId } from '@ambit/contract';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import {
  BREAK_GLASS_NAMESPACE,
  BREAK_GLASS_TYPE,
  type BreakGlassStatement,
  type Differ,
  Gate,
  instant,
  keepBoundary,
  keepOpening,
  keepReview,
  limits,
  openingOf,
  readArchive,
  readOpenings,
  removeOpenings,
  REVIEW_NAMESPACE,
  reviewsFolder,
  signStatement,
  subjectOf,
} from '../src/index.ts';
import { approval, boundary, DAY, differing, HOUR, judged, NOON, person } from './support.ts';

const home = mkdtempSync(join(tmpdir(), 'ambit-archive-'));
afterAll(() => rmSync(home, { recursive: true }));

const [ann, bo, olga] = [person('ann'), person('bo'), person('olga')];
const shop = boundary({ reviewers: [ann.listed, bo.listed] });
const folder = reviewsFolder(join(home, 'shop.yaml'), 'shop', 'production');

beforeEach(async () => {
  rmSync(join(home, 'reviews'), { recursive: true, force: true });
  await keepBoundary(folder, shop.boundary);
  for (const by of [ann, bo]) {
    const { statement, text } = await approval(by, null, shop);
    await keepReview(folder, statement, text);
  }
});

const codes = async (): Promise<readonly string[]> => (await readArchive(folder)).refusals.map(({ code }) => code);

describe('files of reviews', () => {
  it('are what was kept, one a person, and a renewed one takes its own place', async () => {
    const files = await readArchive(folder);
    expect(files.refusals).toEqual([]);
    expect(await judged(files, shop)).toMatchObject({ covered: true });
    const { statement, text } = await approval(ann, null, shop, { expires: instant(NOON + 60 * DAY) });
    await keepReview(folder, statement, text);
    expect(readdirSync(folder).filter((name) => name.endsWith('.json'))).toHaveLength(2);
    expect((await readArchive(join(home, 'nowhere'))).reviews).toEqual([]);
  });

  it('that are none are told, and count for nothing', async () => {
    writeFileSync(join(folder, 'note.json'), '{}');
    writeFileSync(join(folder, 'long.json'), ' '.repeat(limits.reviewBytesMax + 1));
    const [file = ''] = readdirSync(join(folder, 'boundaries'));
    const another = join(folder, 'boundaries', `${'0'.repeat(64)}.json`);
    cpSync(join(folder, 'boundaries', file), another);
    expect(await codes()).toEqual(['unreadable', 'unreadable', 'unreadable']);
    renameSync(another, join(folder, 'boundaries', file));
    writeFileSync(
      join(folder, 'boundaries', file),
      readFileSync(join(folder, 'boundaries', file), 'utf8').replace('v1', 'v2'),
    );
    expect((await readArchive(folder)).boundaries.size).toBe(0);
  });
});

describe('a gate', () => {
  const watched = { product: shop, folder, differ: differing(), root: null };

  it('opens with reviews, closes with the time of the second-last, and with files that are gone', async () => {
    const gate = await Gate.of({ ...watched, breakGlass: null }, NOON);
    expect(gate.standing(NOON)).toMatchObject({ kind: 'approved', until: NOON + 30 * DAY });
    expect(gate.standing(NOON + 30 * DAY - 1).kind).toBe('approved');
    expect(gate.standing(NOON + 30 * DAY).kind).toBe('refused');
    rmSync(join(folder, readdirSync(folder).find((name) => name.endsWith('-bo.json')) ?? ''));
    expect((await gate.look(NOON)).kind).toBe('refused');
    expect(gate.standing(NOON).kind).toBe('refused');
  });

  it('sees a file whose text was changed, and its time and length put back', async () => {
    const file = join(folder, readdirSync(folder).find((name) => name.endsWith('-bo.json')) ?? '');
    utimesSync(file, 1, 1);
    const gate = await Gate.of({ ...watched, breakGlass: null }, NOON);
    writeFileSync(file, readFileSync(file, 'utf8').replace('in-toto', 'in-tutu'));
    utimesSync(file, 1, 1);
    expect((await gate.look(NOON)).kind).toBe('refused');
  });

  it('waits for no pipe', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe.json'), join(folder, 'boundaries', 'pipe.json')]);
    const gate = await Gate.of({ ...watched, breakGlass: null }, NOON);
    expect(gate.standing(NOON)).toMatchObject({ kind: 'approved' });
    expect(await codes()).toEqual(['unreadable', 'unreadable']);
  });

  it('asks again what differs when nobody could tell', async () => {
    const next = boundary({ reviewers: [ann.listed, bo.listed] }, 'v2');
    await keepBoundary(folder, next.boundary);
    const { statement, text } = await approval(ann, shop, next, { effect: 'changes' });
    await keepReview(folder, statement, text);
    let away = true;
    const differ: Differ = (from, to) => (away ? Promise.reject(new Error('no worker')) : differing()(from, to));
    const gate = await Gate.of({ ...watched, product: next, differ, breakGlass: null }, NOON);
    expect(gate.standing(NOON).kind).toBe('refused');
    away = false;
    expect((await gate.look(NOON)).kind).toBe('approved');
  });

  it('stays shut where its files cannot be read', async () => {
    const gate = await Gate.of({ ...watched, folder: join(home, 'reviews/shop/production'), breakGlass: null }, NOON);
    expect(gate.standing(NOON).kind).toBe('approved');
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'not a folder');
    const shut = await gate.look(NOON);
    expect(shut).toMatchObject({ kind: 'refused' });
    expect(shut.verdict.refusals.map(({ code }) => code)).toContain('unreadable');
  });
});

describe('break-glass', () => {
  const opening = (
    more: Partial<BreakGlassStatement['predicate']> = {},
    fingerprint = shop.fingerprint,
  ): BreakGlassStatement => ({
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjectOf('shop', fingerprint),
    predicateType: BREAK_GLASS_TYPE,
    predicate: {
      product: 'shop',
      version: '1.0.0',
      environment: 'production',
      reason: 'outage',
      who: { name: 'olga', key: keyId(olga.signer.key) },
      signedAt: instant(NOON),
      until: instant(NOON + HOUR),
      ...more,
    },
  });
  const openings = join(home, 'break-glass');
  const rules = { operators: [olga.listed], maxHours: 2 };
  const judgedOpening = async (statement: BreakGlassStatement, by = olga, now = NOON) => {
    await keepOpening(openings, statement, await signStatement(statement, by.signer, BREAK_GLASS_NAMESPACE));
    const [signed] = await readOpenings(openings);
    rmSync(openings, { recursive: true });
    if (signed === undefined) throw new Error('what was signed cannot be read');
    const found = openingOf(shop, signed, rules, now);
    return 'code' in found ? found.code : found.until;
  };

  it('is of each version, and closed for all of them', async () => {
    for (const version of ['1.0.0', '2.0.0']) {
      const statement = opening({ version });
      await keepOpening(openings, statement, await signStatement(statement, olga.signer, BREAK_GLASS_NAMESPACE));
    }
    expect(await readOpenings(openings)).toHaveLength(2);
    expect(await removeOpenings(openings, 'shop', 'staging')).toBe(false);
    expect(await removeOpenings(openings, 'shop', 'production')).toBe(true);
    expect(await readOpenings(openings)).toEqual([]);
    expect(await removeOpenings(openings, 'shop', 'production')).toBe(false);
  });

  it('opens this boundary, for its operator, for its time', async () => {
    expect(await judgedOpening(opening())).toBe(instant(NOON + HOUR));
    expect(await judgedOpening(opening(), olga, NOON + HOUR)).toBe('expired');
    expect(await judgedOpening(opening({ until: instant(NOON + 3 * HOUR) }))).toBe('expired');
    expect(await judgedOpening(opening(), ann)).toBe('key_not_listed');
    expect(await judgedOpening(opening({ who: { name: 'ann', key: keyId(olga.signer.key) } }))).toBe('signer_other');
    expect(await judgedOpening(opening({ product: 'stall' }))).toBe('other_product');
    expect(await judgedOpening(opening({ environment: 'staging' }))).toBe('other_environment');
    expect(await judgedOpening(opening({}, `sha256:${'1'.repeat(64)}`))).toBe('other_pair');
    expect(await judgedOpening(opening({ signedAt: instant(NOON + HOUR), until: instant(NOON + 2 * HOUR) }))).toBe(
      'signed_ahead',
    );
  });

  it('is no review, and no review is one', async () => {
    const text = await signStatement(opening(), olga.signer, BREAK_GLASS_NAMESPACE);
    writeFileSync(join(folder, 'opening.json'), text);
    expect(await codes()).toEqual(['unreadable']);
    const review = await approval(olga, null, shop);
    expect(await signStatement(review.statement, olga.signer, REVIEW_NAMESPACE)).toBe(review.text);
    await keepOpening(openings, opening(), review.text);
    expect(await readOpenings(openings)).toEqual([]);
  });
});
