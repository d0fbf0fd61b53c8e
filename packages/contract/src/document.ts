import { Ajv, type ErrorObject } from 'ajv';
import type { TSchema } from 'typebox';
import { isMap, isScalar, LineCounter, type Node, parseDocument, type Pair, type Scalar } from 'yaml';
import { nearest, type Problem } from './problem.ts';

/** A path into a YAML document. */
export type Path = readonly (string | number)[];

/** A YAML file that was read, and where everything in it stands. */
export interface Document<T> {
  readonly file: string;
  /** Null: it is not what its schema says, see `problems`. */
  readonly value: T | null;
  readonly problems: readonly Problem[];
  /** A problem at a value, or at its key. */
  problem(path: Path, message: string, hint?: string | null, at?: 'key' | 'value'): Problem;
  /** A problem inside a SQL text, at its line and column. */
  sqlProblem(path: Path, message: string, hint: string | null, line: number | null, column: number | null): Problem;
}

const ajv = new Ajv({ allErrors: true, strict: false, verbose: true });

/** Reads a YAML text against a schema. All problems at once. */
export function readDocument<T>(text: string, file: string, schema: TSchema): Document<T> {
  const counter = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: counter, uniqueKeys: true, stringKeys: true, prettyErrors: false });
  const place = (offset: number) => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const node = (path: Path): Node | undefined => yaml.getIn(path, true) as Node | undefined;
  const offsetOf = (path: Path, at: 'key' | 'value'): number => {
    if (at === 'key' && path.length > 0) {
      const parent = path.length === 1 ? yaml.contents : node(path.slice(0, -1));
      const pair = isMap(parent)
        ? (parent.items as Pair<Scalar>[]).find(({ key }) => key.value === path.at(-1))
        : undefined;
      if (pair?.key.range) return pair.key.range[0];
    }
    for (let length = path.length; length >= 0; length -= 1) {
      const found = length === 0 ? (yaml.contents as Node | null) : node(path.slice(0, length));
      if (found?.range) return found.range[0];
    }
    return 0;
  };
  const document: Document<T> = {
    file,
    value: null,
    problems: [],
    problem: (path, message, hint = null, at = 'value') => ({ file, ...place(offsetOf(path, at)), message, hint }),
    sqlProblem: (path, message, hint, line, column) => {
      const start = place(offsetOf(path, 'value'));
      const scalar = node(path);
      const inside = isScalar(scalar) ? sqlPlace(text, scalar, start, line ?? 1, column ?? 1) : start;
      return { file, ...inside, message, hint };
    },
  };
  const broken = yaml.errors.map((error) => ({
    file,
    ...place(error.pos[0]),
    message: lowered(error.message),
    hint: null,
  }));
  if (broken.length > 0) return { ...document, problems: broken };
  let value: unknown;
  try {
    // A few aliases are fine; a bomb of them is not.
    value = yaml.toJS({ maxAliasCount: 20 });
  } catch (error) {
    return { ...document, problems: [document.problem([], lowered((error as Error).message))] };
  }
  const check = ajv.compile(schema);
  if (check(value)) return { ...document, value: value as T };
  return { ...document, problems: explain(document, check.errors ?? [], value) };
}

/** Where a place of a SQL text is in the file. Exact for `|` blocks and for texts of one line. */
function sqlPlace(text: string, scalar: Scalar, start: { line: number; column: number }, line: number, column: number) {
  if (scalar.type === 'BLOCK_LITERAL' || scalar.type === 'BLOCK_FOLDED') {
    const lines = text.split('\n');
    const first = lines.slice(start.line).find((candidate) => candidate.trim() !== '') ?? '';
    const indent = first.length - first.trimStart().length;
    return { line: start.line + line, column: indent + column };
  }
  if (line !== 1) return start;
  return { line: start.line, column: start.column + column - 1 + (scalar.type === 'PLAIN' ? 0 : 1) };
}

function explain(document: Document<unknown>, errors: readonly ErrorObject[], value: unknown): readonly Problem[] {
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
        return document.problem(path, `expected ${String(error.params['type'])}`, describe(error));
      default:
        return document.problem(path, error.message ?? 'not valid', describe(error));
    }
  });
  return choices(document, errors, value, problems);
}

/** A value that is none of a list of words gets one problem with the nearest, not one for each word. */
function choices(
  document: Document<unknown>,
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
  return [...kept, ...merged].toSorted((a, b) => a.line - b.line || a.column - b.column);
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

function lowered(message: string): string {
  const line = message.split('\n')[0]?.trim().replace(/\.$/, '') ?? '';
  return line.charAt(0).toLowerCase() + line.slice(1);
}
