import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import type { EvidenceLog } from '@ambit/evidence';

import { describeProduct } from '../api.ts';
import { asOption, jsonOption, serverOption, withConnection } from '../arguments.ts';
import { CliError, exitCodes } from '../failure.ts';
import { productPage } from '../page/product.ts';
import { type Terminal, writeOut } from '../terminal.ts';
import { askQuestion, withQuestion } from './query.ts';
import { sealCommand } from './seal.ts';

/** The product that every server has of its own sessions, and the purpose that it is there for. */
const PRODUCT = 'evidence';
const PURPOSE = 'review';

/** `ambit evidence`: asks, of many sessions at once, what they could see and did. */
export function evidenceCommand(terminal: Terminal) {
  const query = withQuestion(
    new Command('query')
      .description(`ask the product \`${PRODUCT}\` a question, for purpose \`${PURPOSE}\``)
      .argument('[sql]', 'one SQL query'),
  ).action((sql, options) => askQuestion(terminal, { product: PRODUCT, purpose: PURPOSE, sql }, options));
  const tables = new Command('tables')
    .description('tell what of the evidence you may see, and why')
    .addOption(jsonOption())
    .addOption(serverOption())
    .addOption(asOption())
    .action(async (options) => {
      return withConnection(terminal, options, async (connection) => {
        const described = await describeProduct(connection, PRODUCT, PURPOSE);
        const text = options.json ? `${JSON.stringify(described, null, 2)}\n` : productPage(described);
        await writeOut(terminal, text);
      });
    });
  return new Command('evidence')
    .description('look back at many sessions at once, in SQL, and keep their log')
    .addCommand(query)
    .addCommand(tables)
    .addCommand(fetchCommand(terminal))
    .addCommand(shareCommand(terminal))
    .addCommand(pruneCommand(terminal))
    .addCommand(rotateCommand(terminal))
    .addCommand(sealCommand(terminal));
}

const environmentHelp = 'the environment whose log it is (default: development on this machine)';

function fetchCommand(terminal: Terminal) {
  return new Command('fetch')
    .description('copy the log that servers share out of its database into a new folder, for `ambit verify`')
    .argument('<folder>', 'a folder that is not there yet, or is empty')
    .option('--environment <file>', 'the environment that names the database')
    .action(async (folder, { environment: file }) => {
      const { environmentOf } = await import('../environment.ts');
      const { evidenceDatabase } = await import('../evidence-database.ts');
      const { explainLog } = await import('../evidence-log.ts');
      const { fetchLog } = await import('@ambit/evidence');
      const database = await evidenceDatabase(await environmentOf(file));
      if (database === null) throw inNoDatabase('without `evidenceDatabase` the folder `evidence` is the log: copy it');
      const path = resolve(terminal.cwd, folder);
      const { log, key, records } = await fetchLog(database, path).catch((error: unknown) => explainLog(error, path));
      await writeOut(terminal, `${records} records of ${log} in ${path}, signed by ${key}\n`);
    });
}

function shareCommand(terminal: Terminal) {
  return new Command('share')
    .description('put the log of a stopped server into the database that the environment names, for others to share it')
    .option('--environment <file>', 'the environment that names both')
    .action(async ({ environment: file }) => {
      const { environmentOf } = await import('../environment.ts');
      const { evidenceDatabase } = await import('../evidence-database.ts');
      const { evidenceFolder, evidenceKey, explainLog, version } = await import('../evidence-log.ts');
      const { shareLog } = await import('@ambit/evidence');
      const environment = await environmentOf(file);
      const database = await evidenceDatabase(environment);
      if (database === null) throw inNoDatabase('name the database as `evidenceDatabase` of the environment');
      const folder = evidenceFolder(terminal, environment);
      const options = { folder, key: evidenceKey(terminal, environment), ambit: version, database };
      const { log, key, records } = await shareLog(options).catch((error: unknown) => explainLog(error, folder));
      await writeOut(terminal, `${records} records of ${log} are in the database, signed by ${key}\n`);
    });
}

function inNoDatabase(hint: string): CliError {
  return new CliError(exitCodes.usage, 'the log of the environment is in no database', hint);
}

function pruneCommand(terminal: Terminal) {
  return new Command('prune')
    .description('remove segments that are old; their tree stays. The server of this folder must not run')
    .requiredOption('--before <date>', 'remove what is all older, as 2026-01-01', dateOf)
    .option('--environment <file>', environmentHelp)
    .action(({ before, environment }) =>
      withLog(terminal, environment, async (log, folder) => {
        const records = await log.prune(before);
        // They hold what was removed. The next start makes them again from what is there.
        await rm(join(folder, 'tables'), { recursive: true, force: true });
        await writeOut(terminal, `${records} records removed\n`);
      }),
    );
}

function rotateCommand(terminal: Terminal) {
  return new Command('rotate-key')
    .description('let a new key sign the log; the old one signs that it may. The server of this folder must not run')
    .option('--environment <file>', environmentHelp)
    .option('--prepare', 'only make the new key, for the other servers of a shared log to have it before')
    .action(({ environment, prepare }) =>
      prepare === true
        ? prepareKeyOf(terminal, environment)
        : withLog(terminal, environment, async (log) => writeOut(terminal, `${await log.rotateKey()}\n`)),
    );
}

async function prepareKeyOf(terminal: Terminal, file: string | undefined): Promise<void> {
  const { environmentOf } = await import('../environment.ts');
  const { evidenceKey } = await import('../evidence-log.ts');
  const { prepareKey } = await import('@ambit/evidence');
  await writeOut(terminal, `${await prepareKey(evidenceKey(terminal, await environmentOf(file)))}\n`);
}

/** Does something with the log that a server would write. What needs it is loaded when it is needed. */
async function withLog(
  terminal: Terminal,
  file: string | undefined,
  work: (log: EvidenceLog, folder: string) => Promise<void>,
): Promise<void> {
  const { environmentOf } = await import('../environment.ts');
  const { evidenceFolder, explainLog, openEvidence } = await import('../evidence-log.ts');
  const environment = await environmentOf(file);
  const folder = evidenceFolder(terminal, environment);
  const log = await openEvidence(terminal, environment);
  try {
    await work(log, folder).catch((error: unknown) => explainLog(error, folder));
  } finally {
    await log.close();
  }
}

function dateOf(text: string): Date {
  const date = new Date(text);
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(text) || Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError('It is a date, as 2026-01-01.');
  }
  return date;
}
