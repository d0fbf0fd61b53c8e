import type { Boundary, BoundaryParameter } from './boundary.ts';
import type { Document, Path } from './document.ts';
import type { Problem } from './problem.ts';
import { compareVersions, isPrerelease, lineOf } from './versions.ts';

/** A version of a product, and where problems of its contract stand. */
export interface VersionedContract {
  readonly file: string;
  readonly boundary: Boundary;
  readonly problem: Document<unknown>['problem'];
}

interface Break {
  /** Where it stands, or where it would. */
  readonly path: Path;
  readonly message: string;
}

type Column = { readonly name: string; readonly type: string; readonly nullable: boolean };

/**
 * What a version takes from those who use the one before it, among versions of one product that promise not to. Tables and
 * views are one: whoever asks does not see which it is. What policies hide is no break: that may change at any time.
 */
export function breaks(versions: readonly VersionedContract[]): readonly Problem[] {
  const sorted = versions.toSorted((a, b) => compareVersions(versionOf(a), versionOf(b)));
  return sorted.flatMap((later, at) => {
    const same = sorted.slice(0, at).filter((one) => lineOf(versionOf(one)) === lineOf(versionOf(later)));
    const before = same.findLast((one) => !isPrerelease(versionOf(one)));
    if (before === undefined) return [];
    const known = `${versionOf(before)} in \`${before.file}\``;
    return between(before.boundary, later.boundary).map(({ path, message }) =>
      later.problem(path, `${message} in ${known}`, hintFor(versionOf(later)), 'key'),
    );
  });
}

function versionOf({ boundary }: VersionedContract): string {
  return boundary.product.version;
}

function hintFor(version: string): string {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const next = major === 0 ? `0.${minor + 1}.0` : `${major + 1}.0.0`;
  return `whoever uses version ${lineOf(version)} relies on it: put it back, or make this version ${next}`;
}

function between(before: Boundary, after: Boundary): readonly Break[] {
  return [
    ...Object.keys(before.purposes)
      .filter((name) => !Object.hasOwn(after.purposes, name))
      .map((name) => ({ path: ['purposes'], message: `there is no purpose \`${name}\`, which is` })),
    ...relationBreaks(before, after),
    ...functionBreaks(before.functions, after.functions),
    ...queryBreaks(before, after),
  ];
}

/** Names that are told of many. */
const TOLD = 10;

/** What SQL of consumers may call. What they may not, policies say: that may change at any time. */
function functionBreaks(before: readonly string[], after: readonly string[]): readonly Break[] {
  const gone = before.filter((name) => !after.includes(name));
  if (gone.length === 0) return [];
  const names = gone.slice(0, TOLD).map((name) => `\`${name}\``);
  const more = gone.length > TOLD ? ` and ${gone.length - TOLD} more` : '';
  const message =
    gone.length === 1
      ? `SQL may not call function ${names[0]}, which it may`
      : `SQL may not call functions ${names.join(', ')}${more}, which it may`;
  return [{ path: ['functions'], message }];
}

function relationBreaks(before: Boundary, after: Boundary): readonly Break[] {
  const old = { ...before.tables, ...before.views };
  return Object.entries(old).flatMap(([name, { columns }]): readonly Break[] => {
    const isView = Object.hasOwn(after.views, name);
    const now = isView ? after.views[name] : after.tables[name];
    const kind = Object.hasOwn(before.views, name) ? 'view' : 'table';
    if (now === undefined) return [{ path: [`${kind}s`], message: `there is no ${kind} \`${name}\`, which is` }];
    const path = isView ? ['views', name] : ['tables', name, 'columns'];
    return columnBreaks(`\`${name}\``, columns, now.columns, path, !isView);
  });
}

/** Of a table each column stands somewhere; those of SQL come out of it. */
function columnBreaks(
  what: string,
  before: readonly Column[],
  after: readonly Column[],
  path: Path,
  each: boolean,
): readonly Break[] {
  return before.flatMap(({ name, type, nullable }): readonly Break[] => {
    const now = after.find((one) => one.name === name);
    const at = each && now !== undefined ? [...path, name] : path;
    if (now === undefined) return [{ path: at, message: `${what} has no column \`${name}\`, which it has` }];
    const found: Break[] = [];
    if (now.type !== type)
      found.push({ path: at, message: `column \`${name}\` of ${what} is \`${now.type}\`, and \`${type}\`` });
    if (now.nullable && !nullable)
      found.push({ path: at, message: `column \`${name}\` of ${what} may be NULL, which it may not` });
    return found;
  });
}

function queryBreaks(before: Boundary, after: Boundary): readonly Break[] {
  return Object.entries(before.queries).flatMap(([name, { parameters, columns }]): readonly Break[] => {
    const now = after.queries[name];
    if (now === undefined) return [{ path: ['queries'], message: `there is no query \`${name}\`, which is` }];
    const path = ['queries', name];
    const added = Object.entries(now.parameters)
      .filter(([parameter, declared]) => !Object.hasOwn(parameters, parameter) && declared.default === null)
      .map(([parameter]) => ({
        path: [...path, 'parameters', parameter],
        message: `parameter \`${parameter}\` of query \`${name}\` must be given, and is not there`,
      }));
    const changed = Object.entries(parameters).flatMap(([parameter, old]) =>
      parameterBreaks(`parameter \`${parameter}\` of query \`${name}\``, old, now.parameters[parameter], [
        ...path,
        'parameters',
        parameter,
      ]),
    );
    return [...changed, ...added, ...columnBreaks(`query \`${name}\``, columns, now.columns, [...path, 'sql'], false)];
  });
}

function parameterBreaks(
  what: string,
  before: BoundaryParameter,
  after: BoundaryParameter | undefined,
  path: Path,
): readonly Break[] {
  if (after === undefined) return [{ path: path.slice(0, -2), message: `there is no ${what}, which is` }];
  const found: Break[] = [];
  const say = (message: string): void => void found.push({ path, message: `${what} ${message}` });
  if (after.type !== before.type) say(`is \`${after.type}\`, and \`${before.type}\``);
  if (after.default === null && before.default !== null) say('must be given, which it need not');
  if (after.minimum !== null && after.minimum > (before.minimum ?? -Infinity))
    say(`is ${after.minimum} at least, and ${before.minimum ?? 'anything'}`);
  if (after.maximum !== null && after.maximum < (before.maximum ?? Infinity))
    say(`is ${after.maximum} at most, and ${before.maximum ?? 'anything'}`);
  return found;
}
