// What no file of the repository says.

/** @typedef {import('./shape.mjs').Problem} Problem */

/** @type {readonly { pattern: RegExp, message: string, files: RegExp }[]} */
const banned = [
  { pattern: /^\s*export \* /, message: '`export *`: list the public surface by name', files: /\.m?ts$/ },
  { pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/, message: 'a note to finish later: finish it', files: /./ },
  { pattern: /\b(?:todo|unimplemented)!\(/, message: 'unfinished code', files: /\.rs$/ },
  { pattern: /#\[ignore\b/, message: 'an ignored test', files: /\.rs$/ },
  {
    pattern: /\b(?:it|test|describe)\.(?:skip|only|todo)\b|\b(?:xit|xdescribe)\(/,
    message: 'a test that does not run',
    files: /\.m?[jt]s$/,
  },
  { pattern: /@ts-(?:ignore|nocheck)/, message: 'a switched-off type check', files: /\.m?[jt]s$/ },
  { pattern: /§/, message: 'a paragraph of a document that is not here: say it', files: /./ },
  { pattern: /(?<![\w/])[Ii]ssue #?\d+\b/, message: 'an issue number: say it', files: /./ },
  { pattern: /(?<![\w./$}~-])\/(?:work|home|root|Users)\//, message: 'a path of one machine', files: /./ },
  { pattern: /\.\.\/shared\b/, message: 'a path outside the repository', files: /./ },
];

/**
 * @param {string} path
 * @param {string} text
 * @returns {Problem[]}
 */
export function bannedWords(path, text) {
  const rules = banned.filter(({ files }) => files.test(path));
  return text
    .split('\n')
    .flatMap((line, index) =>
      rules.filter(({ pattern }) => pattern.test(line)).map(({ message }) => ({ path, line: index + 1, message })),
    );
}

/**
 * Documents that a file names and that are not in the repository. `exists` is asked for the name as it stands, relative
 * to the file and to the root.
 *
 * @param {string} path
 * @param {string} text
 * @param {(name: string, from: string) => boolean} exists
 * @returns {Problem[]}
 */
export function missingDocuments(path, text, exists) {
  /** @type {Problem[]} */
  const problems = [];
  text.split('\n').forEach((line, index) => {
    for (const [, name = ''] of line.matchAll(/(?<![\w/:.*-])((?:[\w.-]+\/)*[\w-]+\.md)\b/g)) {
      if (!exists(name, path))
        problems.push({ path, line: index + 1, message: `names \`${name}\`, which is not here` });
    }
    if (!path.endsWith('.md')) return;
    for (const [, target = ''] of line.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (!/^[a-z]+:/.test(target) && !exists(target, path)) {
        problems.push({ path, line: index + 1, message: `links to \`${target}\`, which is not here` });
      }
    }
  });
  return problems;
}
