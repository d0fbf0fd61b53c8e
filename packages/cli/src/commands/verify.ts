import { readFile } from 'node:fs/promises';
import { Command } from '@commander-js/extra-typings';
import type { Receipt } from '@ambit/evidence';

import { showReceipt } from '../api.ts';
import { asOption, jsonOption, serverOption, withConnection } from '../arguments.ts';
import { CliError, exitCodes } from '../failure.ts';
import { receiptPage, verificationPage } from '../page/verification.ts';
import { type Terminal, writeOut } from '../terminal.ts';

// The verifier needs no server, and is loaded when it is needed.

const keyOption = '--key <verifier>';
const keyHelp = "the log's verifier key, as name+id+key, that you got another way";

/** `ambit verify`: whether a log is what its checkpoints say. */
export function verifyCommand(terminal: Terminal) {
  return new Command('verify')
    .description('check an evidence log, or a copy of one: reads only, needs no server')
    .argument('<folder>', 'folder of the log')
    .option(keyOption, keyHelp)
    .option('--witness <keys...>', 'verifier keys of witnesses: each must have cosigned a checkpoint of the log')
    .option('--checkpoint <files...>', 'checkpoints that you kept: the log must begin with each')
    .option('--receipt <files...>', 'receipts that you kept: their sessions must be in the log')
    .addOption(jsonOption())
    .action(async (folder, { key, witness = [], checkpoint = [], receipt = [], json }) => {
      const { verifyLog } = await import('@ambit/evidence');
      // Whose key signed then, the log says: it may have handed over since.
      const receipts = await Promise.all(receipt.map((file) => checkedReceipt(file, null)));
      const kept = await Promise.all(checkpoint.map(read));
      const checkpoints = [...kept, ...receipts.map((one) => one.checkpoint)];
      const found = await verifyLog(folder, { ...(key === undefined ? {} : { key }), witnesses: witness, checkpoints });
      await writeOut(terminal, json ? `${JSON.stringify(found, null, 2)}\n` : verificationPage(folder, found));
      if (found.problems.length === 0) return;
      const count = found.problems.length === 1 ? 'a problem' : `${found.problems.length} problems`;
      throw new CliError(exitCodes.failed, `the log has ${count}`, 'keep it as it is for whoever investigates');
    });
}

/** `ambit receipt`: what proves that a session is in the log. */
export function receiptCommand(terminal: Terminal) {
  const get = new Command('get')
    .description('write the receipt of a session: keep it, it proves that the session is in the log')
    .argument('<session>', 'id of the session')
    .addOption(serverOption())
    .addOption(asOption())
    .action(async (session, options) => {
      return withConnection(terminal, options, async (connection) => {
        await writeOut(terminal, `${JSON.stringify(await showReceipt(connection, session), null, 2)}\n`);
      });
    });
  const verify = new Command('verify')
    .description('check a receipt by itself, and that the log of today, or a copy, begins with its log')
    .argument('<file>', 'the receipt')
    .option(keyOption, keyHelp)
    .option('--witness <keys...>', 'verifier keys of witnesses: each must have cosigned the checkpoint of the receipt')
    .option('--log <folder>', 'a log, or a copy of one')
    .addOption(jsonOption())
    .action(async (file, { key, witness = [], log, json }) => {
      const { cosigners, verifyLog, verifyReceipt } = await import('@ambit/evidence');
      const receipt = await checkedReceipt(file, key ?? null);
      const verdict = verifyReceipt(receipt, key ?? null);
      if (!verdict.holds) throw new CliError(exitCodes.failed, `the receipt does not hold: ${verdict.reason}`);
      const witnesses = cosigners(verdict.checkpoint, witness);
      if ('missing' in witnesses) {
        const hint = 'ask the server for a receipt again, when the witness has cosigned';
        throw new CliError(exitCodes.failed, `the receipt is not cosigned by ${witnesses.missing}`, hint);
      }
      const trust = { ...(key === undefined ? {} : { key }), checkpoints: [receipt.checkpoint] };
      const found = log === undefined ? null : await verifyLog(log, trust);
      const { checkpoint, entries } = verdict;
      const said = {
        session: receipt.session,
        size: checkpoint.size,
        entries,
        trusted: key !== undefined,
        witnesses: witnesses.names,
        log: found,
      };
      await writeOut(terminal, json ? `${JSON.stringify(said, null, 2)}\n` : receiptPage(said));
      if (found === null || found.problems.length === 0) return;
      throw new CliError(
        exitCodes.failed,
        'the receipt holds, and the log does not',
        `\`ambit verify ${log}\` tells more`,
      );
    });
  return new Command('receipt').description('prove that a session is in the log').addCommand(get).addCommand(verify);
}

async function checkedReceipt(file: string, key: string | null): Promise<Receipt> {
  const { verifyReceipt } = await import('@ambit/evidence');
  const text = await read(file);
  let receipt: Receipt;
  try {
    receipt = JSON.parse(text) as Receipt;
  } catch (cause) {
    throw new CliError(exitCodes.usage, `\`${file}\` is not JSON`, '`ambit receipt get` writes one', { cause });
  }
  const verdict = verifyReceipt(receipt, key);
  if (!verdict.holds) throw new CliError(exitCodes.failed, `\`${file}\` does not hold: ${verdict.reason}`);
  return receipt;
}

async function read(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: Error) => {
    throw new CliError(exitCodes.usage, `cannot read \`${file}\``, cause.message, { cause });
  });
}
