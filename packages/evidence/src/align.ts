/** How a segment's lines differ from the leaves that the tree has there. */
export interface Aligned {
  readonly kind: 'changed' | 'missing' | 'inserted' | 'moved' | 'cut';
  /** The line, by position among the lines. */
  readonly line: number | null;
  /** First and last leaf, by position among the leaves. */
  readonly expected: readonly [number, number] | null;
}

/**
 * Names each difference. `found` are the leaves of the lines, null where a line is no record. Lines after the last leaf are
 * passed over at the log's end, where no checkpoint covers them yet.
 */
export function align(
  found: readonly (Buffer | null)[],
  expected: readonly Buffer[],
  atEnd: boolean,
): readonly Aligned[] {
  if (found.length === expected.length && found.every((leaf, at) => leaf?.equals(expected[at] as Buffer))) return [];
  const places = new Map(expected.map((leaf, at) => [leaf.toString('latin1'), at]));
  const differences: Aligned[] = [];
  const matched = new Set<number>();
  let next = 0;
  /** Lines since the last match that are in the tree nowhere. */
  let strange: number[] = [];
  const close = (upTo: number): void => {
    const absent = range(next, upTo).filter((at) => !matched.has(at));
    differences.push(...paired(strange, absent, upTo === expected.length && atEnd));
    strange = [];
  };
  const later = new Set(found.map((leaf) => (leaf === null ? -1 : (places.get(leaf.toString('latin1')) ?? -1))));
  for (const [line, leaf] of found.entries()) {
    const place = leaf === null ? undefined : places.get(leaf.toString('latin1'));
    if (place === undefined) {
      strange.push(line);
      continue;
    }
    if (matched.has(place)) differences.push({ kind: 'inserted', line, expected: [place, place] });
    else if (place < next) {
      differences.push({ kind: 'moved', line, expected: [place, place] });
      matched.add(place);
    } else {
      // What comes later in the file is moved, not missing.
      for (const at of range(next, place)) if (later.has(at)) matched.add(at);
      close(place);
      for (const at of range(next, place)) if (later.has(at)) matched.delete(at);
      matched.add(place);
      next = place + 1;
    }
  }
  close(expected.length);
  return differences;
}

/** Strange lines stand for the leaves that are absent there, as far as there are as many. */
function paired(strange: readonly number[], absent: readonly number[], last: boolean): readonly Aligned[] {
  const changed = strange.slice(0, absent.length).map((line, at): Aligned => {
    const place = absent[at] as number;
    return { kind: 'changed', line, expected: [place, place] };
  });
  // After the last leaf of the tree the log may go on.
  const strangers = last ? [] : strange.slice(absent.length);
  const inserted = strangers.map((line): Aligned => ({ kind: 'inserted', line, expected: null }));
  const rest = absent.slice(strange.length);
  const missing = runs(rest).map((run): Aligned => ({ kind: last ? 'cut' : 'missing', line: null, expected: run }));
  return [...changed, ...inserted, ...missing];
}

function runs(places: readonly number[]): readonly (readonly [number, number])[] {
  const found: [number, number][] = [];
  for (const place of places) {
    const last = found.at(-1);
    if (last?.[1] === place - 1) last[1] = place;
    else found.push([place, place]);
  }
  return found;
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at);
}
