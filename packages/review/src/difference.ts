import { type Boundary, canonicalize, digest } from '@ambit/contract';
import { NOTHING } from './statement.ts';

/** What a difference does: somebody may see or do more, less, or neither. What cannot be told counts as `widens`. */
export type Effect = 'widens' | 'narrows' | 'changes';

/** What differs between two boundaries. */
export interface Difference {
  /** Fingerprint, or `nothing`. */
  readonly from: string;
  /** Fingerprint. */
  readonly to: string;
  /** The strongest of its lines. */
  readonly effect: Effect;
  readonly lines: readonly DifferenceLine[];
}

/** One thing that differs, in words. */
export interface DifferenceLine {
  readonly effect: Effect;
  readonly text: string;
}

/** A boundary and its fingerprint. */
export interface Named {
  readonly boundary: Boundary;
  readonly fingerprint: string;
}

/** Says what differs. `from` is null where there was nothing. */
export type Differ = (from: Named | null, to: Named) => Difference | Promise<Difference>;

const RANK: Readonly<Record<Effect, number>> = { narrows: 0, changes: 1, widens: 2 };

/** Whether one effect asks for as much as another, or more. */
export function asStrong(effect: Effect, other: Effect): boolean {
  return RANK[effect] >= RANK[other];
}

/** The stronger of two. */
export function stronger(a: Effect, b: Effect): Effect {
  return asStrong(a, b) ? a : b;
}

/** What reviews name a difference by. */
export function differenceDigest({ from, to, effect, lines }: Difference): string {
  return digest({ from, to, effect, lines: lines.map((line) => ({ effect: line.effect, text: line.text })) });
}

/** What differs, by place alone: words for people differ harmlessly, of all else it cannot tell, and so it widens. */
export function plainDifference(from: Named | null, to: Named): Difference {
  if (from === null) {
    const lines = [{ effect: 'widens' as const, text: 'all of it: there was nothing before' }];
    return { from: NOTHING, to: to.fingerprint, effect: 'widens', lines };
  }
  const lines = changedPlaces(from.boundary, to.boundary, []).map(({ path, how }): DifferenceLine => {
    const place = path.map((part) => (/^[\w-]+$/.test(part) ? part : JSON.stringify(part))).join('.');
    const effect = path.at(-1) === 'description' || path.join('.') === 'product.version' ? 'changes' : 'widens';
    return { effect, text: `${place} ${how}${effect === 'widens' ? '; cannot tell whether somebody sees more' : ''}` };
  });
  const effect = lines.reduce<Effect>((all, line) => stronger(all, line.effect), 'narrows');
  return { from: from.fingerprint, to: to.fingerprint, effect, lines };
}

type Place = { readonly path: readonly string[]; readonly how: 'is new' | 'is gone' | 'is another' };

function changedPlaces(a: unknown, b: unknown, path: readonly string[]): readonly Place[] {
  if (a === undefined) return [{ path, how: 'is new' }];
  if (b === undefined) return [{ path, how: 'is gone' }];
  if (!isMap(a) || !isMap(b)) return canonicalize(a) === canonicalize(b) ? [] : [{ path, how: 'is another' }];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].toSorted();
  return keys.flatMap((key) => changedPlaces(own(a, key), own(b, key), [...path, key]));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(map: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}
