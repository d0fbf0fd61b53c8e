const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const SIZE_BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** `500ms`, `30s`, `5m`, `1h`. */
export const DURATION_PATTERN = '^[1-9][0-9]{0,8}(ms|s|m|h)$';
/** `0B`, `64KiB`, `512MiB`, `2GiB`. */
export const SIZE_PATTERN = '^[0-9]{1,9}(B|KiB|MiB|GiB)$';

/** Milliseconds of a duration that matches `DURATION_PATTERN`. */
export function durationMs(text: string): number {
  return quantity(text, DURATION_MS);
}

/** Bytes of a size that matches `SIZE_PATTERN`. */
export function sizeBytes(text: string): number {
  return quantity(text, SIZE_BYTES);
}

function quantity(text: string, units: Readonly<Record<string, number>>): number {
  const [, digits = '0', unit = ''] = /^([0-9]+)([A-Za-z]+)$/.exec(text) ?? [];
  return Number(digits) * (units[unit] ?? 0);
}
