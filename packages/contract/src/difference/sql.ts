import type { Boundary, BoundaryParameter, BoundaryQuery, BoundaryView, Reads } from '../boundary.ts';
import { described, wordLines } from './access.ts';
import { changes, type Line, narrows, type Said, widens } from './line.ts';
import { members, named, own, type Place, type Rule, same } from './walk.ts';

// What can be asked: views, functions, named queries. None of them shows more than its session may see.

export function viewLines(before: Boundary['views'], after: Boundary['views']): readonly Line[] {
  const place = (name: string) => ({ path: ['views', name], subject: `view \`${name}\`` });
  return named(before, after, {
    place,
    text: ({ sql }) => sql,
    added: () => changes('a view shows what its session may see of its tables, and no more'),
    removed: () => narrows('nobody can read it any more'),
    changed: (old: BoundaryView, now: BoundaryView, name) =>
      members(place(name), old, now, {
        description: described(),
        sql: { name: 'the SQL', means: () => changes('it is another query over what its session may see') },
        columns: { name: 'the columns', means: shownColumns },
        reads: { name: 'what is read by the SQL', means: reading },
      }),
  });
}

export function queryLines(before: Boundary['queries'], after: Boundary['queries']): readonly Line[] {
  const place = (name: string) => ({ path: ['queries', name], subject: `named query \`${name}\`` });
  return named(before, after, {
    place,
    text: ({ sql }) => sql,
    added: () => changes('a query shows what its session may see of its tables, and no more'),
    removed: () => narrows('nobody can run it any more'),
    changed: (old: BoundaryQuery, now: BoundaryQuery, name) =>
      members(place(name), old, now, {
        description: described(),
        sql: { name: 'the SQL', means: () => changes('it is another query over what its session may see') },
        parameters: { name: '', means: (was, is) => parameterLines(place(name), was, is) },
        columns: { name: 'the columns', means: shownColumns },
        reads: { name: 'what is read by the SQL', means: reading },
      }),
  });
}

type Columns = BoundaryView['columns'];

function shownColumns(before: Columns, after: Columns): Said {
  const fewer = after.every((column) => before.some((one) => same(one, column)));
  return fewer ? narrows('it has fewer') : changes('they follow from its SQL and its tables');
}

/** Its SQL is the same, or has a line of its own: what it reads follows. */
function reading(before: Reads, after: Reads): Said {
  const fewer =
    Object.entries(after.tables).every(([table, columns]) => {
      const known = own(before.tables, table);
      return known !== undefined && columns.every((column) => known.includes(column));
    }) &&
    after.views.every((view) => before.views.includes(view)) &&
    after.functions.every((name) => before.functions.includes(name));
  return fewer ? narrows('it is less than it was') : changes('whoever may see all of that can use it, and nobody else');
}

function parameterLines(
  of: Place,
  before: Readonly<Record<string, BoundaryParameter>>,
  after: Readonly<Record<string, BoundaryParameter>>,
): readonly Line[] {
  const place = (name: string) => ({
    path: [...of.path, 'parameters', name],
    subject: `parameter \`${name}\` of ${of.subject}`,
  });
  const other = <V>(name: string, reason: string): Rule<V> => ({ name, means: () => changes(reason) });
  return named(before, after, {
    place,
    text: ({ type }) => type,
    added: () => changes('callers can or must give it'),
    removed: () => changes('callers that give it are refused'),
    changed: (old: BoundaryParameter, now: BoundaryParameter, name) =>
      members(place(name), old, now, {
        type: other('the type', 'callers give it otherwise'),
        description: described(),
        default: other('the default', 'callers that do not give it get another result'),
        minimum: other('the least', 'other values are refused; in SQL of their own callers are not bound by it'),
        maximum: other('the most', 'other values are refused; in SQL of their own callers are not bound by it'),
      }),
  });
}

export function functionLines(before: Boundary['functions'], after: Boundary['functions']): readonly Line[] {
  return wordLines(before, after, {
    place: (name) => ({ path: ['functions'], subject: `function \`${name}\`` }),
    added: () => widens('whoever policies let call it can compute more'),
    removed: () => narrows('nobody can call it any more'),
  });
}
