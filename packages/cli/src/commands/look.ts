import { resolve } from 'node:path';
import { Command } from '@commander-js/extra-typings';

import { describeProduct, listProducts, listSessions, showSession } from '../api.ts';
import { asOption, jsonOption, serverOption, withConnection } from '../arguments.ts';
import { CliError, exitCodes } from '../failure.ts';
import { sessionInLog } from '../log-folder.ts';
import { productPage } from '../page/product.ts';
import { sessionPage } from '../page/session.ts';
import { table } from '../table.ts';
import { type Terminal, writeOut } from '../terminal.ts';

/** `ambit products`: what there is, and what of one product you may see. */
export function productsCommand(terminal: Terminal) {
  return new Command('products')
    .description('list the products that you may open, or tell what you may see of one')
    .argument('[product]', 'name of a product')
    .option('--purpose <name>', 'why you ask: what you may see depends on it')
    .addOption(jsonOption())
    .addOption(serverOption())
    .addOption(asOption())
    .action(async (product, options) => {
      return withConnection(terminal, options, async (connection) => {
        if (product === undefined) {
          const { products } = await listProducts(connection);
          if (options.json) return await writeOut(terminal, `${JSON.stringify(products, null, 2)}\n`);
          const rows = products.map((one) => [
            one.name,
            one.version,
            one.purposes.map(({ name }) => name).join(', '),
            one.description,
          ]);
          return await writeOut(
            terminal,
            table(
              ['product', 'version', 'purposes', 'description'].map((name) => ({ name, type: 'string' })),
              rows,
            ),
          );
        }
        const described = await describeProduct(connection, product, options.purpose ?? null);
        return await writeOut(
          terminal,
          options.json ? `${JSON.stringify(described, null, 2)}\n` : productPage(described),
        );
      });
    });
}

/** `ambit session`: what sessions could see and did. */
export function sessionCommand(terminal: Terminal) {
  const explain = new Command('explain')
    .alias('show')
    .description('tell on one page everything that a session could see and did')
    .argument('[session]', 'id of the session')
    .option('--last', 'your last session')
    .option('--log <folder>', 'read it from a copy of the log, whole and without a server')
    .option('--seals <folder>', 'with --log: the keys that seal literals (default: the folder of the log and `.seals`)')
    .addOption(jsonOption())
    .addOption(serverOption())
    .addOption(asOption())
    .action(async (session, options) => {
      if ((session === undefined) === (options.last === undefined)) {
        throw new CliError(exitCodes.usage, 'which session: an id, or --last', '`ambit session list` shows yours');
      }
      if (options.log !== undefined) {
        if (session === undefined)
          throw new CliError(exitCodes.usage, '--last is a question to a server', 'give an id');
        const seals = options.seals ?? `${resolve(options.log)}.seals`;
        const found = await sessionInLog(options.log, session, seals);
        return await writeOut(terminal, options.json ? `${JSON.stringify(found, null, 2)}\n` : sessionPage(found));
      }
      if (options.seals !== undefined)
        throw new CliError(exitCodes.usage, '--seals is for --log', 'a server has its own keys');
      return withConnection(terminal, options, async (connection) => {
        const id = session ?? (await listSessions(connection)).sessions[0]?.session;
        if (id === undefined)
          throw new CliError(exitCodes.failed, 'you have no session yet', 'ask something first, with `ambit query`');
        const evidence = await showSession(connection, id);
        await writeOut(terminal, options.json ? `${JSON.stringify(evidence, null, 2)}\n` : sessionPage(evidence));
      });
    });
  const list = new Command('list')
    .description('list your sessions, the newest first')
    .addOption(jsonOption())
    .addOption(serverOption())
    .addOption(asOption())
    .action(async (options) => {
      return withConnection(terminal, options, async (connection) => {
        const { sessions } = await listSessions(connection);
        if (options.json) return await writeOut(terminal, `${JSON.stringify(sessions, null, 2)}\n`);
        const rows = sessions.map((one) => [
          one.session,
          one.at.slice(0, 19),
          one.product,
          one.purpose,
          one.status,
          one.rows,
        ]);
        return await writeOut(
          terminal,
          table(
            ['session', 'at', 'product', 'purpose', 'status', 'rows'].map((name) => ({ name, type: 'string' })),
            rows,
          ),
        );
      });
    });
  return new Command('session').description('look at sessions').addCommand(explain).addCommand(list);
}
