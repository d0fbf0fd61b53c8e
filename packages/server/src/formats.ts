import type { OutputFormat } from '@ambit/engine';
import { RequestRefused } from './problems.ts';

/** Media types of results, the first being the default. */
export const mediaTypes = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
  arrow: 'application/vnd.apache.arrow.stream',
} as const satisfies Record<OutputFormat, string>;

/** Formats that say themselves where they end. For the others, the transfer does. */
const ending: readonly OutputFormat[] = ['json', 'arrow'];

/** The format that a request accepts most. Throws `not_acceptable`, or `http_version_unsupported`. */
export function negotiate(accept: string | undefined, httpVersion = '1.1'): OutputFormat {
  const format = mostAccepted(accept);
  // Before HTTP/1.1 a transfer that is cut looks like one that is whole.
  if (httpVersion !== '1.0' || ending.includes(format)) return format;
  const type = mediaTypes[format];
  const others = ending.map((other) => mediaTypes[other]).join(' or ');
  throw new RequestRefused(
    'http_version_unsupported',
    `over HTTP/1.0 nobody can tell a whole \`${type}\` from one that broke off`,
    `use HTTP/1.1, or ask for ${others}`,
  );
}

function mostAccepted(accept: string | undefined): OutputFormat {
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

/** RFC 9110 12.4.2: a weight is 0 to 1. What is no weight makes its range not acceptable. */
function parseRange(text: string): { readonly range: string; readonly quality: number } {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
  return { range, quality: /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(quality) ? Number(quality) : 0 };
}
