import type { Document } from '../document.ts';
import { nearest, type Problem } from '../problem.ts';
import type { Columns } from '../schema.ts';
import type { OdcsContract, OdcsProperty } from './document.ts';
import { typeOf } from './types.ts';

const TAG = /^[a-z][a-z0-9_-]{0,62}$/;

/** Columns of an object of an ODCS file, or all that keeps them from being taken from it. */
export function columnsOf(
  document: Document<OdcsContract>,
  odcs: OdcsContract,
  object: string,
): { readonly columns: Columns } | { readonly problems: readonly Problem[] } {
  const at = odcs.schema.findIndex(({ name, physicalName }) => name === object || physicalName === object);
  const found = odcs.schema[at];
  if (found === undefined) {
    const names = odcs.schema.map(({ name }) => name);
    const word = nearest(object, names);
    const hint = word === null ? `there are: ${names.join(', ')}` : `did you mean \`${word}\``;
    return { problems: [document.problem(['schema'], `there is no object \`${object}\``, hint, 'key')] };
  }
  const problems: Problem[] = [];
  const properties = (found.properties ?? []) as readonly OdcsProperty[];
  const columns = properties.flatMap((property, index) => {
    const path = ['schema', at, 'properties', index];
    // The name that the data has: the other may be for people.
    const name = property.physicalName ?? property.name;
    const type = typeOf(property);
    if (name === undefined) problems.push(document.problem(path, 'a property has no name'));
    if (type === null)
      problems.push(
        document.problem(
          path,
          `property \`${name ?? index}\` has no type that a column can have`,
          'say `physicalType` in a type of the contract, such as bigint, or a `logicalType` with what is in it',
        ),
      );
    if (name === undefined || type === null) return [];
    const { required, description } = property;
    const tags = tagsOf(property);
    const column = {
      type,
      ...(required === true ? { nullable: false } : {}),
      ...(description === undefined || description === '' ? {} : { description }),
      ...(tags.length === 0 ? {} : { tags }),
    };
    return [[name, column] as const];
  });
  if (columns.length === 0 && problems.length === 0)
    problems.push(document.problem(['schema', at], `object \`${object}\` has no properties`));
  return problems.length > 0 ? { problems } : { columns: Object.fromEntries(columns) };
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
