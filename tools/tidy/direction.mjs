// Dependencies point downwards only.

/** @typedef {import('./shape.mjs').Problem} Problem */

/** What each package may import. One that is not here may import nothing, and nobody may import it. */
export const packagesBelow = /** @type {Readonly<Record<string, readonly string[]>>} */ ({
  contract: [],
  policy: ['contract'],
  review: ['contract'],
  evidence: [],
  export: ['evidence'],
  engine: [],
  session: ['contract', 'policy', 'review', 'evidence', 'engine'],
  'policy-test': ['contract', 'policy', 'evidence', 'engine', 'session'],
  server: ['contract', 'policy', 'review', 'evidence', 'engine', 'session'],
  cli: ['contract', 'policy', 'review', 'evidence', 'engine', 'session', 'policy-test', 'server', 'export'],
});

/** What each crate may depend on. */
export const cratesBelow = /** @type {Readonly<Record<string, readonly string[]>>} */ ({
  protocol: [],
  engine: ['protocol'],
  worker: ['protocol', 'engine'],
});

/**
 * Imports of a package's source that point upwards, into another package's inside, or out of the package.
 *
 * @param {string} path
 * @param {string} text
 * @returns {Problem[]}
 */
export function importDirections(path, text) {
  const own = /^packages\/([\w-]+)\/src\//.exec(path)?.[1];
  if (own === undefined) return [];
  const below = packagesBelow[own] ?? [];
  const depth = path.split('/').length - 4;
  /** @type {Problem[]} */
  const problems = [];
  text.split('\n').forEach((line, index) => {
    const problem = (/** @type {string} */ message) => problems.push({ path, line: index + 1, message });
    for (const [, name = ''] of line.matchAll(/(?:from|import|import\()\s*['"]([^'"]+)['"]/g)) {
      const other = /^@ambit\/([\w-]+)(\/.*)?$/.exec(name);
      if (other !== null && !below.includes(other[1] ?? '')) problem(`\`${own}\` may not import \`${other[1]}\``);
      if (other?.[2] !== undefined) problem(`\`${name}\` reaches into a package: import its public surface`);
      const up = /^(?:\.\.\/)+/.exec(name)?.[0].length ?? 0;
      if (up / 3 > depth) problem(`\`${name}\` leaves the package: import \`@ambit/NAME\``);
      if (name.startsWith('.') && !/\.(?:ts|json)$/.test(name)) problem(`\`${name}\`: relative imports end in \`.ts\``);
    }
  });
  return problems;
}

/**
 * Dependencies that a package's manifest declares and that point upwards.
 *
 * @param {string} path
 * @param {string} text
 * @returns {Problem[]}
 */
export function manifestDirections(path, text) {
  const [, kind, own = ''] = /^(packages|crates)\/([\w-]+)\//.exec(path) ?? [];
  const names =
    kind === 'packages'
      ? Object.keys(JSON.parse(text).dependencies ?? {}).flatMap((name) => /^@ambit\/(.+)$/.exec(name)?.[1] ?? [])
      : [...text.matchAll(/path = "\.\.\/([\w-]+)"/g)].map((match) => match[1] ?? '');
  const below = (kind === 'packages' ? packagesBelow : cratesBelow)[own];
  if (below === undefined)
    return [{ path, line: 1, message: `\`${own}\` has no place among the packages: say what it may import` }];
  return names
    .filter((name) => !below.includes(name))
    .map((name) => ({ path, line: 1, message: `\`${own}\` may not depend on \`${name}\`` }));
}

/**
 * Source files of a package that nothing imports.
 *
 * @param {ReadonlyMap<string, string>} sources Text by path, of one package's `src`.
 * @returns {Problem[]}
 */
export function unusedFiles(sources) {
  const imported = new Set();
  for (const [path, text] of sources) {
    for (const [, name = ''] of text.matchAll(/(?:from|import|import\(|new URL\()\s*['"](\.[^'"]+)['"]/g)) {
      imported.add(new URL(name, `file:///${path}`).pathname.slice(1));
    }
  }
  return [...sources.keys()]
    .filter((path) => !path.endsWith('/src/index.ts') && !imported.has(path))
    .map((path) => ({ path, line: 1, message: 'nothing imports this file' }));
}
