import { Command } from '@commander-js/extra-typings';

import { jsonOption } from '../arguments.ts';
import type { Terminal } from '../terminal.ts';

/** `ambit quality`: holds data against the rules and service levels of contracts. */
export function qualityCommand(terminal: Terminal) {
  return new Command('quality')
    .description('hold the data against the rules and service levels of contracts, without a server')
    .argument('[paths...]', 'contracts, folders of them, or products of this folder by name (default: this folder)')
    .option('--environment <file>', 'what the contracts run with (default: development on this machine)')
    .option('--junit <file>', 'write the results as JUnit XML too')
    .option('--record', "keep the records in the environment's log, which no server may be writing")
    .addOption(jsonOption())
    .action(async (paths, options) => {
      const { tellQuality } = await import('../quality.ts');
      await tellQuality(terminal, paths, options);
    });
}
