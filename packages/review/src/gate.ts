import type { Difference } from '@ambit/contract';
import { archiveMark, readArchive } from './archive.ts';
import { type BreakGlass, type Opening, openingOf, readOpenings } from './break-glass.ts';
import { type Archive, differencesTo, stepsTo, type Verdict, verdictOf, withEffects } from './chain.ts';
import { short } from './coverage.ts';
import type { Differ, Named } from './difference.ts';
import type { Refusal } from './refusal.ts';
import type { BreakGlassStatement, Signed } from './statement.ts';

/** Whether a boundary may be served, and because of what. */
export type Standing =
  | { readonly kind: 'approved'; readonly until: number; readonly verdict: Verdict }
  | { readonly kind: 'opened'; readonly until: number; readonly verdict: Verdict; readonly opening: Opening }
  | { readonly kind: 'refused'; readonly verdict: Verdict };

/** What a gate watches. */
export interface Watched {
  readonly product: Named;
  /** Folder of its reviews. */
  readonly folder: string;
  readonly differ: Differ;
  /** The first boundary that was served of the product, as the evidence remembers it. */
  readonly root: string | null;
  /** Null: nobody may open it without a review. */
  readonly breakGlass: BreakGlass | null;
}

/** Stands before one boundary. Asking it costs a comparison of times; what it knows of files is as new as its last look. */
export class Gate {
  readonly watched: Watched;
  #mark: string | null = null;
  #archive: Archive = { reviews: [], revocations: [], boundaries: new Map(), refusals: [] };
  #differences: ReadonlyMap<string, Difference> = new Map();
  #openings: readonly Signed<BreakGlassStatement>[] = [];
  #known: Standing | null = null;
  #root: string | null;

  private constructor(watched: Watched) {
    this.watched = watched;
    this.#root = watched.root;
  }

  /** A gate that has looked once. */
  static async of(watched: Watched, now: number): Promise<Gate> {
    const gate = new Gate(watched);
    await gate.look(now);
    return gate;
  }

  /** The first boundary that was served of the product, as far as the evidence told. */
  get root(): string | null {
    return this.#root;
  }

  /** The product began with this boundary: here, or on another server. */
  began(root: string): void {
    this.#root = root;
    this.#known = null;
  }

  /** Whether the boundary may be served now. */
  standing(now: number): Standing {
    if (this.#known === null || (this.#known.kind !== 'refused' && now >= this.#known.until)) {
      this.#known = this.#judge(now);
    }
    return this.#known;
  }

  /** Reads files that are others than before. What cannot be read approves nothing. */
  async look(now: number): Promise<Standing> {
    const { product, folder, differ, breakGlass } = this.watched;
    this.#openings = breakGlass === null ? [] : await readOpenings(breakGlass.folder).catch(() => []);
    try {
      const mark = await archiveMark(folder);
      if (mark !== this.#mark) {
        let told = true;
        const noting: Differ = async (from, to) => {
          try {
            return await differ(from, to);
          } catch (error) {
            told = false;
            throw error;
          }
        };
        this.#archive = await withEffects(await readArchive(folder), noting);
        const steps = stepsTo(this.#archive, product, now);
        this.#differences = await differencesTo(this.#archive, product, steps, noting);
        // Whoever tells what differs may be away for a moment: the next look asks again.
        this.#mark = told ? mark : null;
      }
    } catch (error) {
      this.#mark = null;
      const message = `the reviews cannot be read: ${(error as Error).message}`;
      const why: Refusal = { code: 'unreadable', file: folder, who: null, message, hint: 'make the folder readable' };
      this.#archive = { reviews: [], revocations: [], boundaries: new Map(), refusals: [why] };
    }
    this.#known = this.#judge(now);
    return this.#known;
  }

  #judge(now: number): Standing {
    const { product, breakGlass } = this.watched;
    const verdict = verdictOf(this.#archive, product, { now, differences: this.#differences, root: this.#root });
    if (verdict.covered && verdict.until !== null) return { kind: 'approved', until: verdict.until, verdict };
    if (breakGlass === null) return { kind: 'refused', verdict };
    for (const signed of this.#openings) {
      const opening = openingOf(product, signed, breakGlass, now);
      if ('until' in opening) return { kind: 'opened', until: Date.parse(opening.until), verdict, opening };
    }
    return { kind: 'refused', verdict };
  }
}

/** Why a boundary is not served, in one sentence, and what to do. */
export function whyRefused({ boundary, fingerprint }: Named, { refusals }: Verdict): Pick<Refusal, 'message' | 'hint'> {
  const { name, version } = boundary.product;
  const worst =
    refusals.find(({ code }) => code.startsWith('chain')) ?? refusals.find(({ code }) => code === 'too_few');
  const others = refusals.filter((one) => one !== worst && one.code !== 'other_pair');
  const why = [...(worst === undefined ? [] : [worst]), ...others].map(({ who, message, code }) =>
    who === null ? message : `${who}'s review: ${message} [${code}]`,
  );
  const message = `the boundary ${short(fingerprint)} of ${name} ${version} is not approved for ${boundary.environment}: ${why.join('; ')}`;
  return { message, hint: worst?.hint ?? 'see `ambit review status`' };
}
