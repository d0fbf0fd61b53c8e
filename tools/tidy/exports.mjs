// A package shows what somebody outside of it uses.

/** @typedef {import('./shape.mjs').Problem} Problem */

const code = /\.(?:ts|mts|mjs|js|tsx)$/;

/**
 * Names that the index of a package exports and nobody else's code says. Whoever says one, in a file that imports the
 * package, is taken to use it.
 *
 * @param {ReadonlyMap<string, string>} files Text by path, of the whole repository.
 * @returns {Problem[]}
 */
export function unusedExports(files) {
  const sources = [...files].filter(([path]) => code.test(path));
  return sources.flatMap(([path, text]) => {
    const name = /^packages\/([\w-]+)\/src\/index\.ts$/.exec(path)?.[1];
    if (name === undefined) return [];
    const anybodys = new RegExp(`['"](?:@ambit/${name}|[^'"]*/${name}/(?:src|dist)/index\\.[jt]s)['"]`);
    const own = /['"]\.\.\/(?:src|dist)\/index\.[jt]s['"]/;
    const users = sources
      .filter(([other]) => !other.startsWith(`packages/${name}/src/`))
      .filter(([other, said]) => anybodys.test(said) || (other.startsWith(`packages/${name}/`) && own.test(said)))
      .map(([, said]) => said);
    return exportsOf(text)
      .filter(({ exported }) => !users.some((said) => new RegExp(`\\b${exported}\\b`).test(said)))
      .map(({ exported, line }) => ({ path, line, message: `nobody outside of \`${name}\` uses \`${exported}\`` }));
  });
}

/**
 * @param {string} text
 * @returns {{ exported: string, line: number }[]}
 */
function exportsOf(text) {
  return [...text.matchAll(/export (?:type )?\{([^}]*)\} from '\.\//g)].flatMap(
    ({ 0: whole, 1: inside = '', index }) => {
      let at = index + whole.indexOf('{') + 1;
      return inside.split(',').flatMap((part) => {
        const exported = /(\w+)\s*$/.exec(part)?.[1];
        const line = text.slice(0, at + part.length - part.trimStart().length).split('\n').length;
        at += part.length + 1;
        return exported === undefined ? [] : [{ exported, line }];
      });
    },
  );
}
