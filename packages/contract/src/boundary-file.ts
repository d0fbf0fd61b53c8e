import type { Boundary } from './boundary.ts';
import { canonicalize } from './canonical.ts';

type Kind = 'text' | 'list' | 'map' | 'object' | 'object or null' | `${'list' | 'map' | 'object'}, where it is there`;

/** What each member of a boundary is. */
const KINDS: { readonly [Member in keyof Boundary]-?: Kind } = {
  format: 'text',
  product: 'object',
  environment: 'text',
  purposes: 'map',
  claims: 'map',
  anonymous: 'object or null',
  issuers: 'map, where it is there',
  evidence: 'object, where it is there',
  session: 'object',
  stores: 'map',
  credentials: 'map, where it is there',
  catalogs: 'map',
  tables: 'map',
  views: 'map',
  quality: 'map, where it is there',
  serviceLevels: 'map, where it is there',
  functions: 'list',
  settings: 'map',
  limits: 'object',
  lowered: 'list, where it is there',
  rowFilters: 'map',
  masks: 'map',
  queries: 'map',
  policies: 'object',
  engine: 'object',
};

/** A boundary from its JSON, or why it is none. It was checked when it was made: only its form is looked at. */
export function readBoundary(text: string): Boundary | { readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
    canonicalize(value);
  } catch (error) {
    return { problem: (error as Error).message };
  }
  if (!isObject(value) || value['format'] !== 'ambit/boundary/v1')
    return { problem: 'its format is not ambit/boundary/v1' };
  const boundary = value;
  const wrong = Object.entries(KINDS).find(([member, kind]) => !isOf(kind, boundary[member]));
  if (wrong !== undefined) return { problem: `\`${wrong[0]}\` is no ${wrong[1]}` };
  return boundary as unknown as Boundary;
}

function isOf(kind: Kind, value: unknown): boolean {
  const [there, optional] = kind.split(',');
  if (optional !== undefined) return value === undefined || isOf(there as Kind, value);
  if (kind === 'text') return typeof value === 'string';
  if (kind === 'list') return Array.isArray(value);
  if (kind === 'object or null') return value === null || isObject(value);
  return isObject(value) && (kind === 'object' || Object.values(value).every(isObject));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
