import { Command, Option } from '@commander-js/extra-typings';

import { asOption, jsonOption, serverOption } from '../arguments.ts';
import { CliError, exitCodes } from '../failure.ts';
import type { Terminal } from '../terminal.ts';

const sides = `
FROM and TO are each one of
  test, production    an environment by name: the contract with it (development and staging too)
  FILE.yaml           the file of an environment
  1.2.0               a version of the contract: here, or as it was last in the git history
  ./                  a folder of contracts, or a contract
  main                a git ref
  FILE.json           a boundary as a server gives it
  running             what the server serves
  nothing             FROM alone: all that there is, for a first review`;

/** `ambit diff`: what differs between two boundaries of a product. */
export function diffCommand(terminal: Terminal) {
  return new Command('diff')
    .description('tell what differs between two boundaries of a product: what widens, what narrows, what changes')
    .argument('<product>', 'name of the product')
    .requiredOption('--from <from>', 'what it is compared with')
    .requiredOption('--to <to>', 'what is looked at')
    .option('--contracts <path>', 'where contracts and environments are', '.')
    .option(
      '--environment <environment>',
      'name or file: what sides that name none run with (default: as it runs, or development)',
    )
    .option('--markdown', 'for a comment on a pull request')
    .addOption(jsonOption())
    .addOption(
      new Option('--allow <effect>', 'the most that may differ for exit status 0')
        .choices(['narrows', 'changes', 'widens'] as const)
        .default('narrows' as const),
    )
    .addOption(serverOption())
    .addOption(asOption())
    .addHelpText('after', sides)
    .action(async (product, options) => {
      const { from, to, contracts, environment, allow, server, as } = options;
      if (options.json === true && options.markdown === true)
        throw new CliError(exitCodes.usage, 'as JSON or as Markdown, not both');
      const format = options.json === true ? 'json' : options.markdown === true ? 'markdown' : 'page';
      const { compareBoundaries } = await import('../diff/compare.ts');
      await compareBoundaries(terminal, { product, from, to, contracts, environment, format, allow, server, as });
    });
}
