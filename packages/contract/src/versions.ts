// Semantic versions of products, and which of several a name means.

interface Version {
  readonly numbers: readonly [major: number, minor: number, patch: number];
  /** Parts of what stands behind `-`; none: it is a release. */
  readonly before: readonly string[];
}

function parsed(version: string): Version {
  const at = version.indexOf('-');
  const [major = 0, minor = 0, patch = 0] = (at < 0 ? version : version.slice(0, at)).split('.').map(Number);
  return { numbers: [major, minor, patch], before: at < 0 ? [] : version.slice(at + 1).split('.') };
}

/** Less than zero where `a` comes before `b`, as semantic versions do. */
export function compareVersions(a: string, b: string): number {
  const [one, other] = [parsed(a), parsed(b)];
  for (const [at, number] of one.numbers.entries()) {
    const difference = number - (other.numbers[at] ?? 0);
    if (difference !== 0) return difference;
  }
  // What comes before a release comes before it.
  if (one.before.length === 0 || other.before.length === 0) return other.before.length - one.before.length;
  for (const [at, word] of one.before.entries()) {
    const difference = compareWords(word, other.before[at]);
    if (difference !== 0) return difference;
  }
  return one.before.length - other.before.length;
}

function compareWords(a: string, b: string | undefined): number {
  if (b === undefined) return 1;
  const [one, other] = [a, b].map((word) => (/^[0-9]+$/.test(word) ? Number(word) : null)) as [
    number | null,
    number | null,
  ];
  if (one !== null && other !== null) return one - other;
  if (one !== null || other !== null) return one !== null ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether it is no release yet. */
export function isPrerelease(version: string): boolean {
  return version.includes('-');
}

/** Versions of one line promise each other not to break: those of one major, and before 1.0.0, where nothing else is promised, of one minor. */
export function lineOf(version: string): string {
  const [major, minor] = parsed(version).numbers;
  return major === 0 ? `0.${minor}` : String(major);
}

/** A name and what is asked of its version: `flights`, `flights@1`, `flights@1.2`, `flights@1.2.0`. */
export function nameAndVersion(text: string): { readonly name: string; readonly version: string | null } {
  const at = text.indexOf('@');
  return at < 0 ? { name: text, version: null } : { name: text.slice(0, at), version: text.slice(at + 1) };
}

/**
 * Which of some versions is meant: the one that is named whole, else the newest release that begins so. What is no release
 * yet is meant where it is named whole, or where there is nothing else of the product.
 */
export function meantBy(asked: string | null, versions: readonly string[]): string | null {
  if (asked !== null && versions.includes(asked)) return asked;
  const begins = (version: string): boolean => asked === null || version.startsWith(`${asked}.`);
  const releases = versions.filter((version) => !isPrerelease(version));
  const known = asked === null && releases.length === 0 ? versions : releases;
  return known.filter(begins).toSorted(compareVersions).at(-1) ?? null;
}
