import { Command } from '@commander-js/extra-typings';

import { jsonOption } from '../arguments.ts';
import type { Terminal } from '../terminal.ts';

const together = (word: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), word];

/** The options that say which key signs. */
export function withKey<Args extends unknown[], Options extends Record<string, unknown>>(
  command: Command<Args, Options>,
) {
  return command
    .option('--key <file>', 'Ed25519 private key in PEM that signs')
    .option('--ssh <file>', 'SSH key that signs; its .pub file: the key that the agent or the hardware holds')
    .option('--yes', 'sign without being asked');
}

/** `ambit review`: owners approve boundaries, and everybody sees what waits for whom. */
export function reviewCommand(terminal: Terminal) {
  return new Command('review')
    .description('approve what is served, and see what waits for approval')
    .addCommand(approveCommand(terminal))
    .addCommand(statusCommand(terminal))
    .addCommand(revokeCommand(terminal))
    .addCommand(checkCommand(terminal));
}

function approveCommand(terminal: Terminal) {
  const command = new Command('approve')
    .description('show what differs, and sign that it may be served')
    .argument('<contract>', 'file of the contract')
    .requiredOption('--environment <file>', 'the environment that it is approved for, or its name')
    .requiredOption('--reason <text>', 'why')
    .requiredOption('--expires <when>', 'until when it may be served: 2027-01-31, or 90d')
    .option('--from <fingerprint>', 'what it takes the place of, or `nothing` (default: what was approved last)')
    .option('--author <address>', 'who wrote the change, beside those that git knows; may be repeated', together)
    .option('--tests [paths...]', 'run the policy tests and sign that they passed (default: those beside the contract)')
    .option('--replay [log]', 'show and sign what it changes for recorded sessions (default: of the environment)');
  return withKey(command).action(async (contract, options) => {
    const { approve } = await import('../reviews/approve.ts');
    await approve(terminal, contract, options);
  });
}

function statusCommand(terminal: Terminal) {
  return new Command('status')
    .description('say what waits for whom; fails where something would not be served')
    .argument('[paths...]', 'contracts, or folders of them (default: this folder)')
    .requiredOption('--environment <file>', 'an environment; may be repeated', together)
    .addOption(jsonOption())
    .action(async (paths, options) => {
      const { reviewStatus } = await import('../reviews/status.ts');
      await reviewStatus(terminal, paths, options);
    });
}

function revokeCommand(terminal: Terminal) {
  const command = new Command('revoke')
    .description('take a review back')
    .argument('<review>', 'file of the review')
    .requiredOption('--reason <text>', 'why')
    .option('--itself', 'end this boundary alone: what was approved on top of it stays');
  return withKey(command).action(async (file, options) => {
    const { revoke } = await import('../reviews/revoke.ts');
    await revoke(terminal, file, options);
  });
}

function checkCommand(terminal: Terminal) {
  return new Command('check')
    .description(
      'say in Markdown what commits change of boundaries, and what of it is approved; fails where something is not',
    )
    .argument('[paths...]', 'contracts, or folders of them (default: this folder)')
    .requiredOption('--range <a..b>', 'the commits, as origin/main..HEAD')
    .requiredOption('--environment <file>', 'an environment; may be repeated', together)
    .option('--replay <log>', 'an evidence log, or a copy of one: say what changes for its sessions')
    .addOption(jsonOption())
    .action(async (paths, options) => {
      const { checkRange } = await import('../reviews/check.ts');
      await checkRange(terminal, paths, options);
    });
}
