import { Command } from '@commander-js/extra-typings';

import { jsonOption } from '../arguments.ts';
import { environmentFacts, environmentPage } from '../page/environment.ts';
import { type Terminal, writeOut } from '../terminal.ts';

/** `ambit environment`: what contracts run with. */
export function environmentCommand(terminal: Terminal) {
  const show = new Command('show')
    .description('tell what an environment is, its bases included, and where each value stands')
    .argument('<environment>', 'its file, or its name: a file beside the contracts, or in their folder environments')
    .argument('[paths...]', 'contracts, or folders of them, that a name is looked for beside (default: this folder)')
    .addOption(jsonOption())
    .action(async (named, paths, options) => {
      const { environmentOf } = await import('../environment.ts');
      const environment = await environmentOf(named, paths);
      const shown = options.json
        ? `${JSON.stringify(environmentFacts(environment), null, 2)}\n`
        : environmentPage(environment);
      await writeOut(terminal, shown);
    });
  return new Command('environment').description('look at environments').addCommand(show);
}
