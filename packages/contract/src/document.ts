import { Ajv, type ErrorObject } from 'ajv';
import type { TSchema } from 'typebox';
import { isMap, isScalar, type Node, parseDocument, type Pair, type Scalar } from 'yaml';
import { inOrder, nearest, offsetOf, placeOf, type Problem } from './problem.ts';
import { offsetInFile } from './scalar-place.ts';
import { brokenAliases, yamlProblem } from './yaml-problem.ts';

/** A path into a YAML document. */
export type Path = readonly (string | number)[];

/** A YAML file that was read, and where everything in it stands. */
export interface Document<T> {
  readonly file: string;
  /** Null: it is not what its schema says. Keys that nobody knows are left out. */
  readonly value: T | null;
  /** What is wrong with it, though there be a value. */
  readonly problems: readonly Problem[];
  /** A problem at a value, or at its key. */
  problem(path: Path, message: string, hint?: string | null, at?: 'key' | 'value'): Problem;
  /** A problem inside a SQL text, at its line and column. */
  sqlProblem(path: Path, message: string, hint: string | null, line: number | null, column: number | null): Problem;
}

const ajv = new Ajv({ allErrors: true, strict: false, verbose: true });

/** A YAML text as it was read, against no schema. */
export interface Parsed extends Pick<Document<unknown>, 'file' | 'problems' | 'problem' | 'sqlProblem'> {
  /** Undefined: it cannot be read, and the problems say why. */
  readonly value: unknown;
}

/** Reads a YAML text against a schema. All problems at once. */
export function readDocument<T>(text: string, file: string, schema: TSchema): Document<T> {
  const parsed = parseYaml(text, file);
  if (parsed.value === undefined) return { ...parsed, value: null };
  return { ...parsed, ...checkValue<T>(parsed.value, schema, parsed.problem) };
}

/** Reads a YAML text. */
export function parseYaml(text: string, file: string): Parsed {
  const yaml = parseDocument(text, { uniqueKeys: true, stringKeys: true, prettyErrors: false });
  const place = (offset: number) => placeOf(text, offset);
  const node = (path: Path): Node | undefined => yaml.getIn(path, true) as Node | undefined;
  const keyOffset = (path: Path): number => {
    const parent = path.length === 1 ? yaml.contents : node(path.slice(0, -1));
    const pair = isMap(parent)
      ? (parent.items as Pair<Scalar>[]).find(({ key }) => key.value === path.at(-1))
      : undefined;
    return pair?.key.range?.[0] ?? valueOffset(path);
  };
  const valueOffset = (path: Path): number => {
    for (let length = path.length; length >= 0; length -= 1) {
      const found = length === 0 ? (yaml.contents as Node | null) : node(path.slice(0, length));
      if (found?.range) return found.range[0];
    }
    return 0;
  };
  const parsed: Parsed = {
    file,
    value: undefined,
    problems: [],
    problem: (path, message, hint = null, at = 'value') => ({
      file,
      ...place(at === 'key' && path.length > 0 ? keyOffset(path) : valueOffset(path)),
      message,
      hint,
    }),
    sqlProblem: (path, message, hint, line, column) => {
      const scalar = node(path);
      if (line === null || !isScalar(scalar)) return { file, ...place(valueOffset(path)), message, hint };
      const inside = offsetOf(String(scalar.value), line, column ?? 1);
      return { file, ...place(offsetInFile(text, scalar, inside)), message, hint };
    },
  };
  const broken = [...yaml.errors.map(yamlProblem), ...brokenAliases(yaml)];
  if (broken.length > 0) {
    return { ...parsed, problems: broken.map(({ at, ...said }) => ({ file, ...place(at), ...said })) };
  }
  try {
    // A few aliases are fine; a bomb of them is not.
    return { ...parsed, value: (yaml.toJS({ maxAliasCount: 20 }) as unknown) ?? null };
  } catch {
    const problem = parsed.problem([], 'there are too many aliases', 'write out what they stand for');
    return { ...parsed, problems: [problem] };
  }
}

/** What a value is by a schema, and all that is wrong with it. Keys that nobody knows are left out of it. */
export function checkValue<T>(
  value: unknown,
  schema: TSchema,
  problem: Document<T>['problem'],
): Pick<Document<T>, 'value' | 'problems'> {
  const check = ajv.compile<T>(schema);
  if (check(value)) return { value, problems: [] };
  const errors = check.errors ?? [];
  const problems = explain({ problem }, errors, value);
  // With a key that nobody knows the rest can still be looked at.
  if (errors.every(isUnknownKey)) leaveOut(value, errors);
  return { problems, value: check(value) ? value : null };
}

type Told = Pick<Document<unknown>, 'problem'>;

function isUnknownKey({ keyword, parentSchema }: ErrorObject): boolean {
  return keyword === 'additionalProperties' && (parentSchema as { properties?: object }).properties !== undefined;
}

function leaveOut(value: unknown, errors: readonly ErrorObject[]): void {
  for (const { instancePath, params } of errors) {
    let at = value as Record<string | number, unknown>;
    for (const step of pathOf(instancePath, value)) at = at[step] as Record<string | number, unknown>;
    delete at[String(params['additionalProperty'])];
  }
}

function explain(document: Told, errors: readonly ErrorObject[], value: unknown): readonly Problem[] {
  const problems = errors.map((error) => {
    const path = pathOf(error.instancePath, value);
    switch (error.keyword) {
      case 'additionalProperties': {
        const key = String(error.params['additionalProperty']);
        const parent = error.parentSchema as { properties?: object; patternProperties?: object };
        const known = Object.keys(parent.properties ?? {});
        if (known.length === 0)
          return document.problem(
            [...path, key],
            `\`${key}\` is not a name that can stand here`,
            'lower-case letters, digits and _ ',
            'key',
          );
        const word = nearest(key, known);
        return document.problem(
          [...path, key],
          `unknown key \`${key}\``,
          word === null ? `keys here: ${known.join(', ')}` : `did you mean \`${word}\``,
          'key',
        );
      }
      case 'required':
        return document.problem(
          path,
          `\`${String(error.params['missingProperty'])}\` is missing`,
          describe(error, String(error.params['missingProperty'])),
          'key',
        );
      case 'const':
        return document.problem(path, `expected ${JSON.stringify(error.params['allowedValue'])}`);
      case 'pattern':
        return document.problem(path, `\`${String(error.data)}\` is not of the form that stands here`, describe(error));
      case 'type':
        return document.problem(
          path,
          `expected ${KINDS[String(error.params['type'])] ?? 'something else'}`,
          describe(error),
        );
      case 'minimum':
        return document.problem(path, `expected ${String(error.params['limit'])} or more`, describe(error));
      case 'minItems':
        return document.problem(path, `expected ${String(error.params['limit'])} or more of them`, describe(error));
      case 'maxItems':
        return document.problem(path, `expected ${String(error.params['limit'])} or fewer of them`, describe(error));
      case 'maximum':
        return document.problem(path, `expected ${String(error.params['limit'])} or less`, describe(error));
      default:
        return document.problem(path, error.message ?? 'not valid', describe(error));
    }
  });
  return choices(document, errors, value, problems);
}

const KINDS: Readonly<Record<string, string>> = {
  object: 'a map',
  array: 'a list',
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
};

/** A value that is none of a list of words gets one problem with the nearest, not one for each word. */
function choices(
  document: Told,
  errors: readonly ErrorObject[],
  value: unknown,
  problems: readonly Problem[],
): readonly Problem[] {
  const unions = errors.filter((error) => error.keyword === 'anyOf');
  const inside = (error: ErrorObject) =>
    unions.some((union) => union.instancePath === error.instancePath && error !== union);
  const kept = problems.filter(
    (_, at) => !unions.includes(errors[at] as ErrorObject) && !inside(errors[at] as ErrorObject),
  );
  const merged = unions.map((union) => {
    const words = errors
      .filter((error) => error.instancePath === union.instancePath && error.keyword === 'const')
      .map((error) => String(error.params['allowedValue']));
    const path = pathOf(union.instancePath, value);
    const word = nearest(String(union.data), words);
    const hint = word === null ? (words.length > 0 ? `one of: ${words.join(', ')}` : null) : `did you mean \`${word}\``;
    return document.problem(path, `\`${String(union.data)}\` cannot stand here`, hint);
  });
  return inOrder([...kept, ...merged]);
}

function describe(error: ErrorObject, property?: string): string | null {
  const schema = error.parentSchema as
    | { description?: string; properties?: Record<string, { description?: string }> }
    | undefined;
  return (property === undefined ? schema?.description : schema?.properties?.[property]?.description) ?? null;
}

function pathOf(pointer: string, value: unknown): (string | number)[] {
  let at: unknown = value;
  return pointer
    .split('/')
    .slice(1)
    .map((part) => {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
      const step = Array.isArray(at) ? Number(key) : key;
      at = (at as Record<string | number, unknown> | undefined)?.[step];
      return step;
    });
}
