import type { Difference } from '@ambit/contract';
import fc from 'fast-check';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { readEnvelope, type ReviewStatement, type Signed, signedStatement, verdictOf } from '../src/index.ts';
import { approval, archive, boundary, HOUR, NOON, person, reviewOf, signed } from './support.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const [ann, bo] = [person('ann'), person('bo')];
const shop = boundary({ reviewers: [ann.listed, bo.listed] });
/** Its effect is what whoever signs says. */
const asked = { now: NOON + HOUR, differences: new Map<string, Difference>() };
let text = '';
let other: Signed<ReviewStatement> & { text: string };

beforeAll(async () => {
  ({ text } = await approval(ann, null, shop));
  other = await approval(bo, null, shop);
});

/** Whether the file of a review, beside one that counts, is believed. */
function believed(file: string, product = shop): boolean {
  const envelope = readEnvelope(file);
  const review = envelope === null ? null : signedStatement('ann.json', envelope);
  const reviews = [other, ...(review === null ? [] : [review as Signed<ReviewStatement>])];
  return verdictOf(archive([product], reviews), product, asked).covered;
}

describe('a review that was tampered with', () => {
  it('is believed as it was signed', () => {
    expect(believed(text)).toBe(true);
  });

  it('is refused, whichever byte of its file is another', () => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 1) {
      for (const flip of [1, 32]) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ flip;
        if (believed(changed.toString('utf8'))) throw new Error(`byte ${at} may be another: ${String(changed)}`);
      }
    }
  });

  it('is refused, whatever is put into it or taken out', () => {
    const edit = fc.tuple(fc.nat(text.length), fc.nat(8), fc.string({ maxLength: 8 }));
    fc.assert(
      fc.property(edit, ([at, length, put]) => {
        const changed = text.slice(0, at) + put + text.slice(at + length);
        expect(believed(changed)).toBe(changed === text);
      }),
      { numRuns: 500 },
    );
  });

  it('is refused, whichever member says something else, though it is written as Ambit writes it', () => {
    const { predicate } = reviewOf(ann, null, shop);
    const members = Object.keys(predicate) as (keyof typeof predicate)[];
    for (const member of members) {
      const value = predicate[member];
      const changed =
        typeof value === 'string'
          ? `${value.slice(0, -1)}${value.endsWith('0') ? '1' : '0'}`
          : { ...(value as object), more: 1 };
      expect(
        believed(
          rewritten((statement) => ({ ...statement, predicate: { ...statement.predicate, [member]: changed } })),
        ),
      ).toBe(false);
      expect(
        believed(
          rewritten((statement) => ({ ...statement, predicate: { ...statement.predicate, [member]: undefined } })),
        ),
      ).toBe(false);
    }
    expect(
      believed(rewritten((statement) => ({ ...statement, predicate: { ...statement.predicate, reason: 'another' } }))),
    ).toBe(false);
    expect(believed(rewritten((statement) => statement))).toBe(true);
  });

  it('is refused with the signature of another, of another review, and with two', async () => {
    const [mine, theirs] = [parts(text), parts(other.text)];
    expect(believed(written({ ...mine, signatures: theirs.signatures }))).toBe(false);
    const later = await approval(ann, null, shop, { reason: 'another' });
    expect(believed(written({ ...mine, signatures: parts(later.text).signatures }))).toBe(false);
    expect(believed(written({ ...mine, signatures: [...mine.signatures, ...theirs.signatures] }))).toBe(false);
    expect(believed(written({ ...mine, signatures: [] }))).toBe(false);
  });

  it('is refused for another product, another environment and another boundary', async () => {
    const product = { ...shop.boundary.product, name: 'stall' };
    for (const elsewhere of [
      boundary({}, '', { product }),
      boundary({ reviewers: [ann.listed, bo.listed] }, 'v1', { environment: 'staging' }),
      boundary({ reviewers: [ann.listed, bo.listed] }, 'another'),
    ]) {
      const mine = await approval(bo, null, elsewhere);
      const envelope = readEnvelope(text);
      const review = envelope === null ? null : signedStatement('ann.json', envelope);
      const { predicate } = (review as Signed<ReviewStatement>).statement;
      // Even one that says it is about that boundary, and signs for the rest.
      const replayed = await signed(
        { ...reviewOf(ann, null, elsewhere), predicate: { ...predicate, to: elsewhere.fingerprint } },
        ann.signer,
      );

      expect(verdictOf(archive([elsewhere], [mine, review as Signed<ReviewStatement>]), elsewhere, asked).covered).toBe(
        false,
      );
      const whole = verdictOf(archive([elsewhere], [mine, replayed]), elsewhere, asked);
      const same = elsewhere.boundary.product.name === 'shop' && elsewhere.boundary.environment === 'production';
      expect(whole.covered).toBe(same);
    }
  });

  it('never makes reading or judging throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (file) => {
        expect(believed(file)).toBe(false);
        const payload = Buffer.from(file).toString('base64');
        expect(
          believed(
            written({ payloadType: 'application/vnd.in-toto+json', payload, signatures: parts(text).signatures }),
          ),
        ).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});

interface Parts {
  readonly payloadType: string;
  readonly payload: string;
  readonly signatures: readonly object[];
}

const parts = (file: string): Parts => JSON.parse(file) as Parts;
const written = (envelope: Parts): string => `${JSON.stringify(envelope, null, 2)}\n`;

/** The same file with another payload, canonical again. */
function rewritten(change: (statement: ReviewStatement) => object): string {
  const envelope = parts(text);
  const statement = JSON.parse(Buffer.from(envelope.payload, 'base64').toString()) as ReviewStatement;
  const sorted = (value: unknown): unknown =>
    value === null || typeof value !== 'object'
      ? value
      : Array.isArray(value)
        ? value.map(sorted)
        : Object.fromEntries(
            Object.entries(value)
              .toSorted(([a], [b]) => (a < b ? -1 : 1))
              .map(([key, one]) => [key, sorted(one)]),
          );
  return written({ ...envelope, payload: Buffer.from(JSON.stringify(sorted(change(statement)))).toString('base64') });
}
