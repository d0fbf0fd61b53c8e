import { Command } from '@commander-js/extra-typings';

import type { Terminal } from '../terminal.ts';

// What serves is loaded when it is needed: the other commands talk to a server and start in a fraction of the time.

const environmentHelp =
  'what the contracts run with: a file, or its name beside the contracts (default: development on this machine)';

/** `ambit serve`: serves data products until it is told to stop. */
export function serveCommand(terminal: Terminal) {
  return new Command('serve')
    .description('serve data products')
    .argument('[paths...]', 'contracts, or folders of them (default: this folder)')
    .option('--environment <file>', environmentHelp)
    .option('--listen <host:port>', 'where to listen, instead of where the environment says')
    .option('--insecure', 'listen on other hosts without TLS: something in front provides it')
    .action(async (paths, options) => {
      const { serveContracts } = await import('../serving.ts');
      await serveContracts(terminal, paths, options);
    });
}

/** `ambit validate`: says all that is wrong with contracts. */
export function validateCommand(terminal: Terminal) {
  return new Command('validate')
    .description('check contracts, their SQL and their policies, without serving them')
    .argument('[paths...]', 'contracts, or folders of them (default: this folder)')
    .option('--environment <file>', environmentHelp)
    .action(async (paths, options) => {
      const { validateContracts } = await import('../serving.ts');
      await validateContracts(terminal, paths, options);
    });
}
