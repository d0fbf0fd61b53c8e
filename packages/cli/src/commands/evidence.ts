import { Command } from '@commander-js/extra-typings';

import { describeProduct } from '../api.ts';
import { asOption, connectionOf, jsonOption, serverOption } from '../arguments.ts';
import { productPage } from '../page/product.ts';
import { type Terminal, writeOut } from '../terminal.ts';
import { askQuestion, withQuestion } from './query.ts';

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
      const connection = connectionOf(terminal, options);
      try {
        const described = await describeProduct(connection, PRODUCT, PURPOSE);
        const text = options.json ? `${JSON.stringify(described, null, 2)}\n` : productPage(described);
        await writeOut(terminal, text);
      } finally {
        await connection.agent.destroy();
      }
    });
  return new Command('evidence')
    .description('look back at many sessions at once, in SQL')
    .addCommand(query)
    .addCommand(tables);
}
