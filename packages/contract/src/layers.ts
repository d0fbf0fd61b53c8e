import { isAbsolute, relative, resolve } from 'node:path';
import type { TSchema } from 'typebox';
import { checkValue, type Document, type Parsed, type Path } from './document.ts';
import { EnvironmentBaseLayer, EnvironmentLayer } from './layer-schema.ts';
import { inOrder, type Problem } from './problem.ts';
import { Environment } from './schema.ts';
import { PATH } from './schema-parts.ts';

/** One file of an environment, and the folder that its relative paths are relative to. */
export interface Layer {
  readonly parsed: Parsed;
  readonly folder: string;
}

/** Where something stands. Line and column from 1. */
export type Place = Pick<Problem, 'file' | 'line' | 'column'>;

/** An environment, completed by its bases. */
export interface Layered {
  /** Null: the problems say why. */
  readonly value: Environment | null;
  readonly problems: readonly Problem[];
  /** A problem where the value stands, in whichever file that is. */
  readonly problem: Document<Environment>['problem'];
  /** Where a value comes from. */
  readonly origin: (path: Path) => Place;
}

/** What each file says of itself alone. */
const OWN: readonly string[] = ['apiVersion', 'kind', 'name', 'extends'];

/**
 * Puts the files of an environment together: its own first, then its base, then that one's. Maps are merged by key, `null`
 * takes away what a base has, everything else replaces it. Relative paths become relative to the first file.
 */
export function layered(layers: readonly [Layer, ...Layer[]]): Layered {
  const [own, ...bases] = layers;
  const problem: Layered['problem'] = (path, ...said) => ownerOf(layers, path).problem(path, ...said);
  const origin: Layered['origin'] = (path) => {
    const { file, line, column } = problem(path, '', null, typeof path.at(-1) === 'string' ? 'key' : 'value');
    return { file, line, column };
  };
  if (bases.length === 0) return { ...alone(own), problem, origin };
  const found: (readonly Problem[])[] = [];
  let merged: unknown;
  for (const layer of layers.toReversed()) {
    found.unshift(inOrder(checked(layer, layer === own, merged)));
    const value = rebase(Environment as Shape, layer.parsed.value, layer.folder, own.folder);
    merged = merged === undefined ? value : ownFirst(value, merge(withoutOwn(merged), value));
  }
  const problems = found.flat();
  if (layers.some(({ parsed }) => parsed.value === undefined)) return { value: null, problems, problem, origin };
  // What a file may leave to its bases, and none of them says: only the whole can tell.
  const { extends: _, ...effective } = isMap(merged) ? merged : {};
  const whole = checkValue<Environment>(effective, Environment, problem);
  const known = new Set(problems.map(placed));
  problems.push(...whole.problems.filter((one) => !known.has(placed(one))));
  return { value: problems.length > 0 ? null : whole.value, problems, problem, origin };
}

function alone({ parsed }: Layer): Pick<Layered, 'value' | 'problems'> {
  if (parsed.value === undefined) return { value: null, problems: parsed.problems };
  const base = baseAsOwn(parsed);
  if (base !== null) return { value: null, problems: [base] };
  return checkValue<Environment>(parsed.value, Environment, parsed.problem);
}

/** A base in the place of an environment. */
function baseAsOwn({ value, problem }: Parsed): Problem | null {
  if (!isMap(value) || value['kind'] !== 'EnvironmentBase') return null;
  return problem(['kind'], 'a base is no environment of its own', 'name an environment that extends it');
}

/** What is wrong with one of several files. */
function checked({ parsed }: Layer, own: boolean, inherited: unknown): readonly Problem[] {
  const { value, problem } = parsed;
  if (value === undefined) return parsed.problems;
  const base = own ? baseAsOwn(parsed) : null;
  if (base !== null) return [base];
  const kind = isMap(value) ? value['kind'] : undefined;
  if (!own && kind !== 'Environment' && kind !== 'EnvironmentBase') {
    const hint = 'the `kind` of what is extended is Environment or EnvironmentBase';
    return [problem(['kind'], 'this is no environment, and no base of one', hint)];
  }
  const schema: TSchema = kind === 'EnvironmentBase' ? EnvironmentBaseLayer : EnvironmentLayer;
  const problems: Problem[] = [];
  const nothing = (path: Path): void => {
    const message = `there is nothing to take away: no base has \`${path.join('.')}\``;
    problems.push(problem(path, message, 'leave it out', 'key'));
  };
  const left = inherited === undefined ? value : withoutNulls(value, withoutOwn(inherited), [], nothing);
  return [...problems, ...checkValue(left, schema, problem).problems];
}

/** What a file declares, without what it takes away. Lists are left alone: a `null` in one is a mistake. */
function withoutNulls(value: unknown, inherited: unknown, path: Path, nothing: (path: Path) => void): unknown {
  if (!isMap(value)) return value;
  const known = isMap(inherited) ? inherited : {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]) => {
      const at = [...path, key];
      // What a file says of itself is not inherited: a `null` there is a value of the wrong kind.
      if (each !== null || OWN.includes(at.join('.'))) return [[key, withoutNulls(each, known[key], at, nothing)]];
      if (!Object.hasOwn(known, key)) nothing(at);
      return [];
    }),
  );
}

function merge(base: unknown, over: unknown): unknown {
  if (!isMap(over)) return over;
  const merged = new Map<string, unknown>(isMap(base) ? Object.entries(base) : []);
  for (const [key, value] of Object.entries(over)) {
    if (value === null) merged.delete(key);
    else merged.set(key, merge(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

/** As somebody would write it: what it is, then what it has. */
function ownFirst(own: unknown, merged: unknown): unknown {
  if (!isMap(own) || !isMap(merged)) return merged;
  return { ...Object.fromEntries(OWN.flatMap((key) => (key in own ? [[key, own[key]]] : []))), ...merged };
}

function withoutOwn(value: unknown): unknown {
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !OWN.includes(key)));
}

/** The file that a value comes from: the first that has it. A list is one file's. */
function ownerOf(layers: readonly [Layer, ...Layer[]], path: Path): Parsed {
  for (let length = path.length; length > 0; length -= 1) {
    const owner = layers.find(({ parsed }) => has(parsed.value, path.slice(0, length)));
    if (owner !== undefined) return owner.parsed;
  }
  return layers[0].parsed;
}

function has(value: unknown, path: Path): boolean {
  let at = value;
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return false;
    at = (at as Readonly<Record<string | number, unknown>>)[step];
  }
  return true;
}

interface Shape {
  readonly type?: unknown;
  readonly [PATH]?: true;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
}

/** The same value, its relative paths seen from another folder. */
function rebase(schema: Shape, value: unknown, from: string, to: string): unknown {
  if (from === to) return value;
  if (typeof value === 'string') return schema[PATH] === true ? seenFrom(to, from, value) : value;
  if (Array.isArray(value)) return value.map((each) => rebase(schema.items ?? {}, each, from, to));
  if (!isMap(value)) return value;
  const [named = {}] = Object.values(schema.patternProperties ?? {});
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, rebase(schema.properties?.[key] ?? named, each, from, to)]),
  );
}

/** With `/` on every machine: where a store lies is in the fingerprint. */
function seenFrom(to: string, from: string, path: string): string {
  if (isAbsolute(path) || path.startsWith('https://')) return path;
  return relative(to, resolve(from, path)).replaceAll('\\', '/') || '.';
}

function placed({ file, line, column, message }: Problem): string {
  return JSON.stringify([file, line, column, message]);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
