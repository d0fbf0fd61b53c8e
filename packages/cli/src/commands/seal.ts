import type { BoundEnvironment } from '@ambit/session';
import { Command } from '@commander-js/extra-typings';

import { jsonOption } from '../arguments.ts';
import { CliError, exitCodes } from '../failure.ts';
import { table } from '../table.ts';
import { say, type Terminal, writeOut } from '../terminal.ts';

const environmentHelp = 'the environment whose log it is (default: development on this machine)';

/** `ambit evidence seal`: the keys under which literals are sealed, and their end. */
export function sealCommand(terminal: Terminal) {
  return new Command('seal')
    .description('look at the keys that seal literals, and destroy them')
    .addCommand(listCommand(terminal))
    .addCommand(destroyCommand(terminal));
}

function listCommand(terminal: Terminal) {
  return new Command('list')
    .description('list the keys, the oldest first')
    .option('--environment <file>', environmentHelp)
    .addOption(jsonOption())
    .action(async ({ environment: file, json }) => {
      const { environmentOf } = await import('../environment.ts');
      const { sealKeys } = await import('../evidence-log.ts');
      const keys = await sealKeys(terminal, await environmentOf(file)).list();
      if (json === true) return writeOut(terminal, `${JSON.stringify(keys, null, 2)}\n`);
      const rows = keys.map(({ id, period, destroyed }) => [
        id,
        period,
        destroyed?.at ?? null,
        destroyed === null ? '' : destroyed.recorded ? 'in the log' : 'not in the log yet',
      ]);
      return writeOut(
        terminal,
        table(
          ['key', 'period', 'destroyed', 'recorded'].map((name) => ({ name, type: 'string' })),
          rows,
        ),
      );
    });
}

function destroyCommand(terminal: Terminal) {
  return new Command('destroy')
    .description('delete the keys of a period for good: what was sealed under them, nobody can read any more')
    .argument('<period>', 'as 2026-11, or the id of one key')
    .option('--environment <file>', environmentHelp)
    .action(async (period, { environment: file }) => {
      const { environmentOf } = await import('../environment.ts');
      const { sealKeys } = await import('../evidence-log.ts');
      const environment = await environmentOf(file);
      const destroyed = await sealKeys(terminal, environment).destroy(period);
      if (destroyed.length === 0)
        throw new CliError(
          exitCodes.failed,
          `there is no key of \`${period}\` to destroy`,
          '`ambit evidence seal list` shows what there is',
        );
      for (const { id, at } of destroyed) await writeOut(terminal, `${id} destroyed at ${at}\n`);
      await recordDestroyed(terminal, environment);
    });
}

/** The log says so: a server that runs has it written within seconds, else this does. */
async function recordDestroyed(terminal: Terminal, environment: BoundEnvironment): Promise<void> {
  const { openEvidence } = await import('../evidence-log.ts');
  try {
    await (await openEvidence(terminal, environment)).close();
  } catch (error) {
    const { EvidenceLocked } = await import('@ambit/evidence');
    const cause = (error as Error).cause;
    if (!(cause instanceof EvidenceLocked)) {
      say(terminal, 'the key is gone, and the log does not say so yet: the next server that opens it writes that');
      throw error;
    }
    say(terminal, 'the server that runs writes it to the log within seconds');
  }
}
