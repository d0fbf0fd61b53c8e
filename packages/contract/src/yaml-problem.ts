import { type Document, visit, type YAMLError } from 'yaml';

/** What is wrong with a YAML text, in UTF-16 units from its beginning. */
export interface YamlProblem {
  readonly at: number;
  readonly message: string;
  readonly hint: string | null;
}

/** The parser's words where they say what to do, ours where they speak to a programmer. */
export function yamlProblem({ code, message, pos }: YAMLError): YamlProblem {
  const [told, hint] = ours[code] ?? [lowered(message), null];
  return { at: pos[0], message: told, hint };
}

const ours: Readonly<Partial<Record<YAMLError['code'], readonly [string, string]>>> = {
  MULTIPLE_DOCS: ['a second document begins here', 'a file holds one; put the other into a file of its own'],
  DUPLICATE_KEY: ['this key was there before', 'a key stands once in a map'],
  TAB_AS_INDENT: ['a tab stands in the indentation', 'indent with spaces'],
};

/** Aliases of anchors that were never set. */
export function brokenAliases(yaml: Document): readonly YamlProblem[] {
  const problems: YamlProblem[] = [];
  visit(yaml, {
    Alias: (_, alias) => {
      if (alias.resolve(yaml) !== undefined) return;
      const hint = 'text that begins with `*` or `&` stands in quotes';
      problems.push({
        at: alias.range?.[0] ?? 0,
        message: `there is no anchor \`&${alias.source}\` before this`,
        hint,
      });
    },
  });
  return problems;
}

function lowered(message: string): string {
  const line = message.split('\n')[0]?.trim().replace(/\.$/, '') ?? '';
  return line.charAt(0).toLowerCase() + line.slice(1);
}
