import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import {
  type Document,
  type Environment,
  type Layer,
  type Layered,
  layered,
  nearest,
  type Parsed,
  parseYaml,
  type Problem,
} from '@ambit/contract';
import { ContractsInvalid } from './errors.ts';
import { limits } from './limits.ts';
import type { Product } from './load.ts';

/** An environment and the folder that its relative paths are relative to. */
export interface BoundEnvironment {
  readonly value: Environment;
  readonly folder: string;
  /** Files that it is made of: its own, then its bases. */
  readonly files: readonly string[];
  /** A problem where the value stands, in whichever file that is. */
  readonly problem: Document<Environment>['problem'];
  /** Where a value comes from. */
  readonly origin: Layered['origin'];
}

/** Without a file: development on this machine, stores where the contracts say. */
export async function loadEnvironment(file: string | null): Promise<BoundEnvironment> {
  const { layers, problems: broken, missing = [] } = await readLayers(file);
  const [own] = layers;
  const { value, problems, problem, origin } = layered(layers);
  const files = file === null ? [] : layers.map(({ parsed }) => parsed.file);
  // A base that is not there leaves out what it would have said: that is not told twice.
  if (broken.length > 0) throw new ContractsInvalid(broken, [...files, ...missing]);
  if (value === null || problems.length > 0) throw new ContractsInvalid(problems, files);
  return { value, folder: own.folder, files, problem, origin };
}

const BUILT_IN = 'apiVersion: ambit/v1\nkind: Environment\nname: development\n';

interface Read {
  readonly layers: readonly [Layer, ...Layer[]];
  /** Why there are no more of them. */
  readonly problems: readonly Problem[];
  /** A base that cannot be read. */
  readonly missing?: readonly string[];
}

async function readLayers(file: string | null): Promise<Read> {
  if (file === null) {
    return { layers: [{ parsed: parseYaml(BUILT_IN, 'built-in environment'), folder: process.cwd() }], problems: [] };
  }
  const layers: [Layer, ...Layer[]] = [await readLayer(file)];
  for (;;) {
    const { parsed } = layers.at(-1) as Layer;
    const base = baseOf(parsed);
    if (base === null) return { layers, problems: [] };
    const wrong = unfit(layers, parsed, base);
    if (wrong !== null) return { layers, problems: [wrong] };
    try {
      layers.push(await readLayer(base));
    } catch {
      const hint = 'it is relative to the file that names it';
      return { layers, missing: [base], problems: [parsed.problem(['extends'], `cannot read \`${base}\``, hint)] };
    }
  }
}

async function readLayer(file: string): Promise<Layer> {
  return { parsed: parseYaml(await readFile(file, 'utf8'), file), folder: resolve(dirname(file)) };
}

/** The file that one extends, as somebody finds it from where the command was given. */
function baseOf({ value, file }: Parsed): string | null {
  const name = (value as { readonly extends?: unknown } | null | undefined)?.extends;
  // What is no text has a problem of its own.
  if (typeof name !== 'string' || name === '') return null;
  return isAbsolute(name) ? name : join(dirname(file), name);
}

function unfit(layers: readonly Layer[], { problem }: Parsed, base: string): Problem | null {
  const files = layers.map(({ parsed }) => parsed.file);
  const known = files.findIndex((file) => resolve(file) === resolve(base));
  if (known >= 0) {
    const circle = [...files.slice(known), base].join(' → ');
    return problem(['extends'], `\`${base}\` extends itself`, `the circle: ${circle}`);
  }
  if (layers.length <= limits.environmentBasesMax) return null;
  return problem(['extends'], `there are more than ${limits.environmentBasesMax} bases`, 'put some of them together');
}

/** Stores and credentials that an environment binds and no product has: one of them may be a slip. */
export function unusedBindings(environment: BoundEnvironment, products: readonly Product[]): readonly Problem[] {
  const stores = products.flatMap(({ boundary }) => Object.keys(boundary.stores));
  const credentials = products.flatMap(({ boundary }) => Object.keys(boundary.credentials ?? {}));
  return [
    ...unused(environment, 'stores', 'store', stores),
    ...unused(environment, 'credentials', 'credential', credentials),
  ];
}

function unused(
  { value, problem }: BoundEnvironment,
  member: 'stores' | 'credentials',
  what: string,
  known: readonly string[],
): readonly Problem[] {
  const bound = Object.keys(value[member] ?? {}).filter((name) => !known.includes(name));
  return bound.map((name) => {
    const word = nearest(name, [...new Set(known)]);
    const hint = word === null ? null : `did you mean \`${word}\``;
    return problem([member, name], `no contract here has a ${what} \`${name}\``, hint, 'key');
  });
}
