import { Command } from '@commander-js/extra-typings';

import type { Terminal } from '../terminal.ts';
import { withKey } from './review.ts';

/** `ambit break-glass`: an operator opens, for a while, what no owner approved. */
export function breakGlassCommand(terminal: Terminal) {
  const open = new Command('open')
    .description('open a boundary that no owner approved, for a while; run it where the server runs')
    .argument('<product>', 'name of the product; with a version as flights@1 where there are several')
    .argument('[paths...]', 'contracts, or folders of them (default: this folder)')
    .requiredOption('--environment <file>', 'the environment that the server runs with')
    .requiredOption('--for <duration>', 'for how long: 30m, 2h')
    .requiredOption('--reason <text>', 'why; every record of it says so');
  const close = new Command('close')
    .description('end that before its time')
    .argument('<product>', 'name of the product: every version of it')
    .requiredOption('--environment <file>', 'the environment that the server runs with')
    .action(async (product, { environment }) => {
      const { closeOpening } = await import('../reviews/break-glass.ts');
      await closeOpening(terminal, product, environment);
    });
  return new Command('break-glass')
    .description('open, for a while, what no owner approved')
    .addCommand(
      withKey(open).action(async (product, paths, options) => {
        const { openWithoutReview } = await import('../reviews/break-glass.ts');
        await openWithoutReview(terminal, product, paths, options);
      }),
    )
    .addCommand(close);
}
