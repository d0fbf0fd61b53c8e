import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type Contract,
  type DeclaredContract,
  type Document,
  objectOf,
  OdcsContract,
  type Problem,
  readDocument,
  type SayOfRule,
  type TakenObject,
  type TakenRules,
} from '@ambit/contract';

/** A contract with the columns of every table. */
interface Whole {
  readonly contract: Contract;
  /** Rules that came with columns of ODCS files. */
  readonly rules: TakenRules;
  /** What of those files was left out. */
  readonly notes: readonly Problem[];
}

/** The contract with the columns of every table: some may be declared in an ODCS file, where they stand once. */
export async function withColumns(
  document: Document<DeclaredContract>,
  declared: DeclaredContract,
): Promise<Whole | { readonly problems: readonly Problem[] }> {
  const problems: Problem[] = [];
  const notes: Problem[] = [];
  const rules = new Map<string, ReadonlyMap<string, SayOfRule>>();
  const tables: [string, Contract['tables'][string]][] = [];
  for (const [name, { columns, odcs, ...table }] of Object.entries(declared.tables)) {
    const say = (message: string, hint: string): void =>
      void problems.push(document.problem(['tables', name], message, hint, 'key'));
    if (columns !== undefined && odcs !== undefined) {
      say(`the columns of table \`${name}\` are declared twice`, 'keep `columns` or `odcs`');
    } else if (columns !== undefined) tables.push([name, { ...table, columns }]);
    else if (odcs === undefined) {
      say(`table \`${name}\` has no columns`, 'declare `columns`, or say in which ODCS file they are: `odcs`');
    } else {
      const found = await fromFile(document, name, odcs);
      if ('problems' in found) problems.push(...found.problems);
      else {
        const own = table.quality ?? {};
        // What the contract itself says of a rule counts.
        rules.set(name, new Map([...found.rules].filter(([id]) => !Object.hasOwn(own, id))));
        notes.push(...found.notes);
        tables.push([name, { ...table, columns: found.columns, quality: { ...found.quality, ...own } }]);
      }
    }
  }
  if (problems.length > 0) return { problems };
  return { contract: { ...declared, tables: Object.fromEntries(tables) }, rules, notes };
}

/** ODCS files that a contract names, as paths. */
export function odcsFiles(declared: DeclaredContract, file: string): readonly string[] {
  const named = Object.values(declared.tables).flatMap(({ odcs }) => (odcs === undefined ? [] : [odcs]));
  return [...new Set(named.map((one) => join(dirname(file), one.split('#')[0] ?? '')))];
}

async function fromFile(
  document: Document<DeclaredContract>,
  table: string,
  named: string,
): Promise<TakenObject | { readonly problems: readonly Problem[] }> {
  const [path = '', object = table] = named.split('#');
  const file = join(dirname(document.file), path);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    const problem = document.problem(
      ['tables', table, 'odcs'],
      `cannot read \`${path}\``,
      'it is relative to this file',
    );
    return { problems: [problem] };
  }
  const odcs = readDocument<OdcsContract>(text, file, OdcsContract);
  return odcs.value === null ? { problems: odcs.problems } : objectOf(odcs, odcs.value, object, table);
}
