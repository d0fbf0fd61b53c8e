import { Command } from '@commander-js/extra-typings';

import { replaySession } from '../api.ts';
import { asOption, jsonOption, serverOption, withConnection } from '../arguments.ts';
import { CliError, exitCodes } from '../failure.ts';
import { replayPage } from '../page/replay.ts';
import { type Terminal, writeOut } from '../terminal.ts';

/** `ambit replay`: a session once more, or all of them under another boundary. */
export function replayCommand(terminal: Terminal) {
  return new Command('replay')
    .description('run a session again and compare, or tell what a new boundary would change for recorded sessions')
    .argument('[session]', 'id of the session to run again: on the server, for who may read all of its evidence')
    .option('--against <contract>', 'a contract: compares the grants of recorded sessions with those of its boundary')
    .option(
      '--environment <file>',
      'with --against: what the contract runs with (default: development on this machine)',
    )
    .option('--since <date>', 'with --against: sessions from then on, such as 2026-03-01')
    .option('--log <folder>', 'with --against: the evidence log, or a copy of one (default: .ambit/evidence)')
    .addOption(jsonOption())
    .addOption(serverOption())
    .addOption(asOption())
    .action(async (session, options) => {
      const { against, environment, since, log } = options;
      if ((session === undefined) === (against === undefined))
        throw new CliError(exitCodes.usage, 'what to replay: a session, or --against a contract');
      if (session !== undefined) {
        if (environment !== undefined || since !== undefined || log !== undefined)
          throw new CliError(exitCodes.usage, '--environment, --since and --log are for --against');
        return replayOne(terminal, session, options);
      }
      const { replayAgainst } = await import('../against.ts');
      return replayAgainst(terminal, { contract: against ?? '', environment, since, log, json: options.json === true });
    });
}

async function replayOne(
  terminal: Terminal,
  session: string,
  options: { readonly server?: string; readonly as?: string; readonly json?: true },
): Promise<void> {
  return withConnection(terminal, options, async (connection) => {
    const replayed = await replaySession(connection, session);
    await writeOut(terminal, options.json ? `${JSON.stringify(replayed, null, 2)}\n` : replayPage(replayed));
    if (replayed.verdict !== 'same')
      throw new CliError(exitCodes.failed, `the replay is not the same [${replayed.verdict}]`);
  });
}
