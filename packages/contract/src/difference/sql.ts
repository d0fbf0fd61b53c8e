import type { Boundary, BoundaryParameter, BoundaryQuery, BoundaryView, Reads } from '../boundary.ts';
import { described } from './access.ts';
import { changes, type Line, narrows, quoted, type Said, widens } from './line.ts';
import { members, named, own, type Place, type Rule, same, shown, without } from './walk.ts';

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
  const { tables: _t, views: _v, functions: _f, ...others } = after;
  // One more member of what is read would have to be compared here.
  const none: Record<string, never> = others;
  const fewer =
    Object.keys(none).length === 0 &&
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
  const [more, less] = [without(after, before), without(before, after)];
  // A group is one decision, however many functions it has.
  const line = (names: readonly string[], is: boolean, said: Said): readonly Line[] => {
    if (names.length === 0) return [];
    const subject = names.length === 1 ? `function ${quoted(names)}` : `${names.length} functions`;
    const text = names.join(', ');
    return [{ path: '/functions', subject, before: is ? null : text, after: is ? text : null, ...said }];
  };
  const lines = [
    ...line(more, true, widens('whoever policies let call them can compute more')),
    ...line(less, false, narrows('nobody can call them any more')),
  ];
  if (lines.length > 0) return lines;
  const order = changes('the same functions are listed in another order or number');
  return [{ path: '/functions', subject: 'the functions', before: shown(before), after: shown(after), ...order }];
}
