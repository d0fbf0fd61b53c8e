import type { Document } from '../document.ts';
import { nearest, type Problem } from '../problem.ts';
import type { SayOfRule } from '../quality/declared.ts';
import type { Columns } from '../schema.ts';
import type { OdcsContract, OdcsProperty, OdcsQuality } from './document.ts';
import { type Level, qualityFrom, type TakenQuality } from './quality.ts';
import { typeOf } from './types.ts';

const TAG = /^[a-z][a-z0-9_-]{0,62}$/;

/** What a table takes of an object of an ODCS file. */
export interface TakenObject {
  readonly columns: Columns;
  /** Rules of the table; those of columns are with these. */
  readonly quality: TakenQuality['quality'];
  /** Where a problem of each rule stands, by its name in the table. */
  readonly rules: ReadonlyMap<string, SayOfRule>;
  /** What was left out. */
  readonly notes: readonly Problem[];
}

/** What an object of an ODCS file gives a table, or all that keeps it from being taken from it. */
export function objectOf(
  document: Document<OdcsContract>,
  odcs: OdcsContract,
  object: string,
  table: string,
): TakenObject | { readonly problems: readonly Problem[] } {
  const at = odcs.schema.findIndex(({ name, physicalName }) => name === object || physicalName === object);
  const found = odcs.schema[at];
  if (found === undefined) {
    const names = odcs.schema.map(({ name }) => name);
    const word = nearest(object, names);
    const hint = word === null ? `there are: ${names.join(', ')}` : `did you mean \`${word}\``;
    return { problems: [document.problem(['schema'], `there is no object \`${object}\``, hint, 'key')] };
  }
  const taking = new Taking(document, table);
  const properties = (found.properties ?? []) as readonly OdcsProperty[];
  const columns = properties.flatMap((property, index) => taking.column(property, ['schema', at, 'properties', index]));
  const { problems } = taking;
  if (columns.length === 0 && problems.length === 0)
    problems.push(document.problem(['schema', at], `object \`${object}\` has no properties`));
  if (problems.length > 0) return { problems };
  const quality = taking.quality(found.quality ?? [], null, ['schema', at, 'quality']);
  return { columns: Object.fromEntries(columns), quality, rules: taking.rules, notes: taking.notes };
}

/** What is found on the way through an object. */
class Taking {
  readonly problems: Problem[] = [];
  readonly notes: Problem[] = [];
  readonly rules = new Map<string, SayOfRule>();
  readonly #document: Document<OdcsContract>;
  readonly #table: string;

  constructor(document: Document<OdcsContract>, table: string) {
    this.#document = document;
    this.#table = table;
  }

  column(property: OdcsProperty, path: readonly (string | number)[]): (readonly [string, Columns[string]])[] {
    // The name that the data has: the other may be for people.
    const name = property.physicalName ?? property.name;
    const type = typeOf(property);
    if (name === undefined) this.problems.push(this.#document.problem(path, 'a property has no name'));
    if (type === null)
      this.problems.push(
        this.#document.problem(
          path,
          `property \`${name ?? path.at(-1)}\` has no type that a column can have`,
          'say `physicalType` in a type of the contract, such as bigint, or a `logicalType` with what is in it',
        ),
      );
    if (name === undefined || type === null) return [];
    const { required, description } = property;
    const tags = tagsOf(property);
    const quality = this.quality(property.quality ?? [], name, [...path, 'quality']);
    this.#inside(property, path);
    const column = {
      type,
      ...(required === true ? { nullable: false } : {}),
      ...(description === undefined || description === '' ? {} : { description }),
      ...(tags.length === 0 ? {} : { tags }),
      ...(Object.keys(quality).length === 0 ? {} : { quality }),
    };
    return [[name, column]];
  }

  quality(
    rules: readonly OdcsQuality[],
    column: string | null,
    path: readonly (string | number)[],
  ): TakenQuality['quality'] {
    const level: Level = { table: this.#table, column };
    const note = (at: number, message: string, hint: string | null): Problem =>
      this.#document.problem([...path, at], message, hint);
    const taken = qualityFrom(
      rules,
      level,
      (at, message, hint) => void this.notes.push(note(at, message, hint)),
      (at) => (message, hint) => note(at, message, hint),
    );
    for (const [id, say] of taken.says) this.rules.set(id, say);
    return taken.quality;
  }

  /** Rules of what is in a column: a column is the least that a rule here is of. */
  #inside({ items, properties = [] }: OdcsProperty, path: readonly (string | number)[]): void {
    const inner = [
      ...(items === undefined ? [] : [[items, [...path, 'items']] as const]),
      ...properties.map((one, at) => [one, [...path, 'properties', at]] as const),
    ];
    for (const [one, where] of inner) {
      if ((one.quality ?? []).length > 0) {
        const message = 'rules of a part of a column are not checked';
        this.notes.push(this.#document.problem([...where, 'quality'], message, 'write them as `sql` of the column'));
      }
      this.#inside(one, where);
    }
  }
}

/** Its tags, and its classification: masks and policies can name both. */
function tagsOf({ tags = [], classification }: OdcsProperty): string[] {
  const words = [...tags, ...(classification === undefined ? [] : [classification])];
  const asTags = words
    .map((word) =>
      word
        .trim()
        .toLowerCase()
        .replaceAll(/[\s.:/]+/g, '-'),
    )
    .filter((word) => TAG.test(word));
  return [...new Set(asTags)].toSorted();
}
