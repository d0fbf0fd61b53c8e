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
  const ranges = (accept ?? '*/*')
    .split(',')
    .map(parseRange)
    .filter(({ quality }) => quality > 0);
  let best: { format: OutputFormat; quality: number; exact: number } | null = null;
  for (const [format, type] of Object.entries(mediaTypes) as [OutputFormat, string][]) {
    for (const { range, quality } of ranges) {
      const exact = range === type ? 2 : range === `${type.split('/')[0]}/*` ? 1 : range === '*/*' ? 0 : -1;
      if (exact < 0) continue;
      if (best === null || quality > best.quality || (quality === best.quality && exact > best.exact))
        best = { format, quality, exact };
    }
  }
  if (best !== null) return best.format;
  throw new RequestRefused(
    'not_acceptable',
    'no format of the result is acceptable',
    `formats: ${Object.values(mediaTypes).join(', ')}`,
  );
}

function parseRange(text: string): { readonly range: string; readonly quality: number } {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='));
  const value = quality === undefined ? 1 : Number(quality.slice(2));
  return { range, quality: Number.isFinite(value) ? value : 0 };
}
