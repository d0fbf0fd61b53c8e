import { driftText, inspect, type TableState } from '@ambit/session';

import { counted, printable } from './display.ts';
import { environmentOf } from './environment.ts';
import { CliError, exitCodes } from './failure.ts';
import { engineFor, loadContracts } from './serving.ts';
import { type Terminal, writeOut } from './terminal.ts';

interface Options {
  readonly environment?: string | undefined;
  readonly json?: true | undefined;
}

/** Holds the data of contracts against what they declare. Throws where a table would be closed. */
export async function tellDrift(terminal: Terminal, paths: readonly string[], options: Options): Promise<void> {
  const products = await loadContracts(terminal, paths, options.environment);
  const engine = await engineFor(terminal, await environmentOf(options.environment, paths), products);
  try {
    const states = (await Promise.all(products.map((product) => inspect(engine, product)))).flat();
    await writeOut(
      terminal,
      options.json ? `${JSON.stringify(states.map(plain), null, 2)}\n` : states.map(lines).join(''),
    );
    const closed = states.filter((state) => state.closed).length;
    if (closed > 0)
      throw new CliError(
        exitCodes.failed,
        `${counted(closed, 'table')} would be closed: the data is not what the contract declares`,
        'change the contract, or mend the data',
      );
  } finally {
    await engine.close();
  }
}

function plain({ product, table, closed, found }: TableState): object {
  const { name, version } = product.boundary.product;
  return { product: name, version, table, closed, ...found };
}

function lines({ product, table, closed, found }: TableState): string {
  const looked =
    found.files === found.filesTotal ? counted(found.files, 'file') : `${found.files} of ${found.filesTotal} files`;
  const state = closed ? 'would be closed' : 'as declared';
  const first = `${product.boundary.product.name}.${table}: ${state}, ${looked}`;
  return [first, ...found.drift.map((one) => `  ${driftText(one)}`)].map((line) => `${printable(line)}\n`).join('');
}
