import {
  type Around,
  type Boundary,
  type BoundaryColumn,
  difference,
  type Difference,
  type Implication,
  type Implied,
} from '@ambit/contract';
import { type Engine, type ImpliesRequest, type Judgement, PolicySqlRefused } from '@ambit/engine';
import { withPolicies } from '@ambit/policy';

import { CliError, exitCodes } from '../failure.ts';
import { differenceMarkdown } from '../page/difference-markdown.ts';
import { differencePage } from '../page/difference.ts';
import { checked } from '../serving.ts';
import { type Terminal, writeOut } from '../terminal.ts';
import { type Asked, boundaryOf, sideOf } from './side.ts';

interface Options extends Asked {
  readonly from: string;
  readonly to: string;
  readonly format: 'page' | 'markdown' | 'json';
  /** The most that may differ for the exit status to be 0. */
  readonly allow: Exclude<Difference['effect'], 'same'>;
}

/** Compares two boundaries of a product, and tells what differs. Fails where more differs than is allowed. */
export async function compareBoundaries(terminal: Terminal, options: Options): Promise<void> {
  const found = await checked((engine) => compared(terminal, engine, options));
  await writeOut(terminal, written(terminal, options, found));
  if (REACH.indexOf(found.effect) <= REACH.indexOf(options.allow)) return;
  const what = found.effect === 'widens' ? 'someone may see or do more' : 'what is served is not the same';
  const hint = 'an owner must look at it; --allow says how much may differ';
  throw new CliError(exitCodes.failed, `${what} [${found.effect}]`, hint);
}

/** Each reaches further than those before it. */
const REACH: readonly Difference['effect'][] = ['same', 'narrows', 'changes', 'widens'];

async function compared(terminal: Terminal, engine: Engine, options: Options): Promise<Difference> {
  const [from, to] = [sideOf(terminal, options.from), sideOf(terminal, options.to)];
  if (to.kind === 'nothing') throw new CliError(exitCodes.usage, '`--to nothing` is no boundary: nothing is --from');
  // What runs tells with which environment the other side is meant.
  const served = [from, to].some(({ kind }) => kind === 'running')
    ? await boundaryOf(terminal, engine, options, { kind: 'running' }, null)
    : null;
  const side = (one: typeof from): Promise<Boundary | null> =>
    one.kind === 'running'
      ? Promise.resolve(served)
      : boundaryOf(terminal, engine, options, one, served?.environment ?? null);
  const before = await side(from);
  const after = (await side(to)) as Boundary;
  return difference(before, after, withPolicies(implicationOf(engine)));
}

/** The engine decides between row filters and between masks. What it refuses as SQL nobody can tell. */
export function implicationOf(engine: Pick<Engine, 'implies' | 'coarsens'>): Implication {
  return {
    implies: ({ table, columns, unchanged, claims, settings }, stronger, weaker) =>
      judged(
        engine.implies({
          table,
          tables: mapped(columns),
          unchanged: [...unchanged],
          claims,
          settings,
          stronger: [stronger],
          weaker: [weaker],
        }),
      ),
    coarsens: ({ table, columns, claims, settings }, column, before, after) =>
      judged(
        engine.coarsens({
          table,
          column,
          columns: mapped(columns)[table] ?? [],
          claims,
          settings,
          before: [before],
          after: [after],
        }),
      ),
  };
}

function mapped(columns: Around['columns']): ImpliesRequest['tables'] {
  const plain = ({ name, type, nullable }: BoundaryColumn) => ({ name, type, nullable });
  return Object.fromEntries(Object.entries(columns).map(([table, declared]) => [table, declared.map(plain)]));
}

async function judged(judging: Promise<Judgement>): Promise<Implied> {
  try {
    const { answer, reason } = await judging;
    return { answer, reason };
  } catch (error) {
    if (!(error instanceof PolicySqlRefused)) throw error;
    return {
      answer: 'cannot tell',
      reason: `one of the two boundaries does not have what the other names (${error.message})`,
    };
  }
}

function written(terminal: Terminal, { from, to, format }: Options, found: Difference): string {
  if (format === 'json') return `${JSON.stringify(found, null, 2)}\n`;
  if (format === 'markdown') return differenceMarkdown(found, { from, to });
  const colours = terminal.outIsTerminal && (terminal.env['NO_COLOR'] ?? '') === '' && terminal.env['TERM'] !== 'dumb';
  return differencePage(found, { from, to }, colours);
}
