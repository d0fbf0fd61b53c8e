import { Command } from '@commander-js/extra-typings';

import { jsonOption } from '../arguments.ts';
import type { Terminal } from '../terminal.ts';

/** `ambit test`: runs policy tests, without a server. */
export function testCommand(terminal: Terminal) {
  return new Command('test')
    .description('run policy tests: who sees what of a product, without a server')
    .argument('[paths...]', 'files of policy tests, or folders of them (default: this folder)')
    .option('--environment <file>', 'what the contracts run with (default: development on this machine)')
    .option('--junit <file>', 'write the results as JUnit XML too')
    .option('--mutants', 'take each row filter, mask and policy away in turn, and tell which no test would miss')
    .option('--covered', 'fail where something of the policy was never exercised, or would not be missed')
    .addOption(jsonOption())
    .action(async (paths, options) => {
      const { testPolicies } = await import('../policy-tests.ts');
      await testPolicies(terminal, paths, options);
    });
}
