import { Command, CommanderError } from '@commander-js/extra-typings';

import { breakGlassCommand } from './commands/break-glass.ts';
import { diffCommand } from './commands/diff.ts';
import { environmentCommand } from './commands/environment.ts';
import { evidenceCommand } from './commands/evidence.ts';
import { keyCommand } from './commands/key.ts';
import { productsCommand, sessionCommand } from './commands/look.ts';
import { odcsCommand } from './commands/odcs.ts';
import { qualityCommand } from './commands/quality.ts';
import { queryCommand } from './commands/query.ts';
import { replayCommand } from './commands/replay.ts';
import { reviewCommand } from './commands/review.ts';
import { driftCommand, serveCommand, validateCommand } from './commands/serve.ts';
import { testCommand } from './commands/test.ts';
import { receiptCommand, verifyCommand } from './commands/verify.ts';
import { ProblemError } from './connection.ts';
import { CliError, type ExitCode, exitCodes } from './failure.ts';
import { isReaderGone, say, type Terminal } from './terminal.ts';

/**
 * Runs the command line and returns the exit status. Writes nothing but data to `out`; every failure is told on `err`,
 * with what to do. Never throws.
 */
export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const readerGone = new Promise<ExitCode>((resolve) => {
    // The reader of our output may stop before its end, as `head` does. That is no failure of ours.
    terminal.out.on('error', (error) => isReaderGone(error) && resolve(exitCodes.ok));
    terminal.err.on('error', () => {});
  });
  return Promise.race([readerGone, runCommand(words, terminal)]);
}

async function runCommand(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    await program(terminal).parseAsync([...words], { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    return tell(error, terminal);
  }
}

function program(terminal: Terminal): Command {
  const ambit = new Command('ambit')
    .description('governed data product APIs on Apache DataFusion')
    .addCommand(serveCommand(terminal))
    .addCommand(validateCommand(terminal))
    .addCommand(driftCommand(terminal))
    .addCommand(qualityCommand(terminal))
    .addCommand(testCommand(terminal))
    .addCommand(diffCommand(terminal))
    .addCommand(environmentCommand(terminal))
    .addCommand(queryCommand(terminal))
    .addCommand(productsCommand(terminal))
    .addCommand(sessionCommand(terminal))
    .addCommand(replayCommand(terminal))
    .addCommand(receiptCommand(terminal))
    .addCommand(verifyCommand(terminal))
    .addCommand(evidenceCommand(terminal))
    .addCommand(odcsCommand(terminal))
    .addCommand(reviewCommand(terminal))
    .addCommand(breakGlassCommand(terminal))
    .addCommand(keyCommand(terminal))
    .addHelpText('after', exitCodesHelp);
  for (const command of everyCommand(ambit)) {
    command
      .exitOverride()
      .helpCommand(false)
      .configureOutput({
        writeOut: (text) => void terminal.out.write(text),
        writeErr: (text) => void terminal.err.write(text),
        // One style for every error, whoever found it.
        outputError: () => {},
      });
  }
  return ambit;
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap((inner) => everyCommand(inner as Command))];
}

const exitCodesHelp = `
Exit status: 0 done, 1 refused or failed, 2 wrong command line, 3 server not reachable or not serving,
4 the answer broke off halfway, 130 interrupted, 143 terminated.`;

function tell(error: unknown, terminal: Terminal): ExitCode {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.ok;
    const [message = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
    // Without a command commander has shown the help already.
    if (error.code !== 'commander.help') {
      say(terminal, `error: ${message}`);
      say(
        terminal,
        `hint: ${rest.length > 0 ? rest.join(' ').replace(/^\(|\)$/g, '') : 'add --help to see what there is'}`,
      );
    }
    return exitCodes.usage;
  }
  if (error instanceof CliError) {
    say(terminal, `error: ${error.message}`);
    if (error.hint !== null) say(terminal, `hint: ${error.hint}`);
    if (error instanceof ProblemError && error.session !== null) say(terminal, `session: ${error.session}`);
    return error.exitCode;
  }
  if (isReaderGone(error)) return exitCodes.ok;
  say(terminal, `error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  say(terminal, 'hint: this is a fault of ambit; please report it with the lines above');
  return exitCodes.failed;
}
