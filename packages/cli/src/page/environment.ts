import type { Place } from '@ambit/contract';

/** What a page of an environment is made of. */
export interface ShownEnvironment {
  readonly value: object;
  /** Its own file, then its bases. */
  readonly files: readonly string[];
  readonly origin: (path: readonly (string | number)[]) => Place;
}

/** An environment, its bases included: YAML, with the place of every value. */
export function environmentPage({ value, files, origin }: ShownEnvironment): string {
  const [own = '', ...bases] = files;
  const head = [`# ${own}`, ...bases.map((base) => `# extends ${base}`)];
  const lines = linesOf(withoutSecrets(value), [], '', origin);
  const width = Math.min(WIDTH_MAX, Math.max(...lines.map(({ text }) => text.length)));
  const body = lines.map(({ text, place }) => (place === null ? text : `${text.padEnd(width)}  # ${placeText(place)}`));
  return `${[...head, ...body].join('\n')}\n`;
}

/** The same for machines: every value that is no map by its path, and where it stands. */
export function environmentFacts({ value, files, origin }: ShownEnvironment): object {
  const shown = withoutSecrets(value);
  const places = leavesOf(shown, []).map((path) => [path.join('.'), origin(path)] as const);
  return { files, environment: shown, origins: Object.fromEntries(places) };
}

const WIDTH_MAX = 72;

interface Line {
  readonly text: string;
  readonly place: Place | null;
}

type Path = readonly (string | number)[];

function linesOf(value: unknown, path: Path, indent: string, origin: ShownEnvironment['origin']): readonly Line[] {
  return Object.entries(value as object).flatMap(([key, each]): readonly Line[] => {
    const at = [...path, key];
    const name = `${indent}${scalar(key)}:`;
    if (Array.isArray(each) && each.some(isMap)) {
      const items = each.flatMap((item, index) => itemLines(item, [...at, index], `${indent}  `, origin));
      return [{ text: name, place: null }, ...items];
    }
    if (isMap(each) && Object.keys(each).length > 0)
      return [{ text: name, place: null }, ...linesOf(each, at, `${indent}  `, origin)];
    return [{ text: `${name} ${inline(each)}`, place: origin(at) }];
  });
}

function itemLines(item: unknown, path: Path, indent: string, origin: ShownEnvironment['origin']): readonly Line[] {
  const [first, ...rest] = linesOf(item, path, `${indent}  `, origin);
  if (first === undefined) return [];
  return [{ ...first, text: `${indent}- ${first.text.trimStart()}` }, ...rest];
}

function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  return isMap(value) ? '{}' : scalar(value);
}

/** Text without quotes where YAML reads it as the same text. */
function scalar(value: unknown): string {
  if (typeof value !== 'string') return String(value);
  const words = ['true', 'false', 'null', 'yes', 'no', 'on', 'off'];
  const plain = /^[A-Za-z_./@][\w./@+:-]*$/.test(value) && !value.endsWith(':') && !words.includes(value.toLowerCase());
  return plain || /^[0-9]+[A-Za-z]+$/.test(value) ? value : JSON.stringify(value);
}

function leavesOf(value: unknown, path: Path): readonly Path[] {
  if (Array.isArray(value)) return [path];
  if (!isMap(value) || Object.keys(value).length === 0) return [path];
  return Object.entries(value).flatMap(([key, each]) => leavesOf(each, [...path, key]));
}

/** An environment holds none. Somebody may have put one into an address all the same. */
function withoutSecrets(value: unknown): unknown {
  if (typeof value === 'string') {
    return value.replace(/^(https?:\/\/)[^/@]*@/i, '$1...@').replace(/^(https?:\/\/[^?]*)\?.*$/i, '$1?...');
  }
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutSecrets(each)]));
}

function placeText({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
