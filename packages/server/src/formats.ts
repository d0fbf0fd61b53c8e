import type { OutputFormat } from '@ambit/engine';
import { RequestRefused } from './problems.ts';

/** Media types of results, the first being the default. */
export const mediaTypes = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
  arrow: 'application/vnd.apache.arrow.stream',
} as const satisfies Record<OutputFormat, string>;

/** The format that a request accepts most. Throws `not_acceptable`. */
export function negotiate(accept: string | undefined): OutputFormat {
  const ranges = (accept ?? '*/*').split(',').map(parseRange);
  let best: { format: OutputFormat; quality: number; exact: number } | null = null;
  for (const [format, type] of Object.entries(mediaTypes) as [OutputFormat, string][]) {
    // RFC 9110 12.5.1: the most specific range that matches gives the type its weight.
    const matching = ranges
      .map(({ range, quality }) => ({ format, quality, exact: specificity(range, type) }))
      .filter(({ exact }) => exact >= 0)
      .toSorted((x, y) => y.exact - x.exact)[0];
    if (matching === undefined || matching.quality <= 0) continue;
    const better = best === null || matching.quality > best.quality;
    if (better || (matching.quality === best?.quality && matching.exact > best.exact)) best = matching;
  }
  if (best !== null) return best.format;
  throw new RequestRefused(
    'not_acceptable',
    'no format of the result is acceptable',
    `formats: ${Object.values(mediaTypes).join(', ')}`,
  );
}

function specificity(range: string, type: string): number {
  if (range === type) return 2;
  if (range === `${type.split('/')[0]}/*`) return 1;
  return range === '*/*' ? 0 : -1;
}

function parseRange(text: string): { readonly range: string; readonly quality: number } {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='));
  const value = quality === undefined ? 1 : Number(quality.slice(2));
  return { range, quality: Number.isFinite(value) ? value : 0 };
}
