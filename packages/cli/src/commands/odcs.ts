import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { OdcsContract } from '@ambit/contract';
import { Command } from '@commander-js/extra-typings';

import { CliError, exitCodes } from '../failure.ts';
import { type Terminal, writeOut } from '../terminal.ts';

/** `ambit odcs`: to and from the Open Data Contract Standard. */
export function odcsCommand(terminal: Terminal) {
  const command = new Command('odcs').description('contracts of the Open Data Contract Standard, v3');
  command
    .command('export')
    .description('print a contract as ODCS')
    .argument('<contract>', 'a contract')
    .option('--environment <file>', 'what the contract runs with (default: development on this machine)')
    .action(async (path, { environment }) => {
      const [{ toOdcs }, { loadContracts }] = await Promise.all([import('@ambit/contract'), import('../serving.ts')]);
      for (const { boundary, fingerprint } of await loadContracts(terminal, [path], environment))
        await writeOut(terminal, toOdcs(boundary, fingerprint));
    });
  command
    .command('import')
    .description('print a contract to begin with, of an ODCS file')
    .argument('<file>', 'an ODCS file: the contract is to stand beside it')
    .action(async (path) => {
      const [{ fromOdcs, OdcsContract: schema, readDocument }, { ContractsInvalid }, { explain }] = await Promise.all([
        import('@ambit/contract'),
        import('@ambit/session'),
        import('../environment.ts'),
      ]);
      const text = await readFile(path, 'utf8').catch((cause: unknown) => {
        throw new CliError(exitCodes.usage, `cannot read \`${path}\``, (cause as Error).message, { cause });
      });
      const { value, problems } = readDocument<OdcsContract>(text, path, schema);
      await writeOut(terminal, fromOdcs(value ?? explain(new ContractsInvalid(problems)), basename(path)));
    });
  return command;
}
