import type { ProductDescription } from '../api.ts';
import { facts, listed, section } from './layout.ts';

/** What a subject may see of a product with a purpose, and why. */
export function productPage(product: ProductDescription): string {
  const lines = [
    `${product.name} ${product.version}: ${product.description}`,
    ...facts([
      ['purpose', product.purpose],
      ['environment', product.environment],
      ['owner', product.owner],
      ['fingerprint', product.fingerprint],
    ]),
    ...product.tables.flatMap((table) => section(`table ${table.name}: ${table.description}`, tableLines(table))),
    ...product.views.flatMap((view) =>
      section(
        `view ${view.name}: ${view.description}`,
        view.columns.map(({ name, type }) => `${name} ${type}`),
      ),
    ),
    ...section(
      'queries',
      product.queries.map(
        ({ name, description, parameters }) =>
          `${name}(${parameters.map((one) => `${one.name} ${one.type}`).join(', ')}): ${description}`,
      ),
    ),
    ...section('functions', [listed(product.functions.map(({ name }) => name))]),
  ];
  return `${lines.join('\n')}\n`;
}

function tableLines({ columns, filters, closed }: ProductDescription['tables'][number]): readonly string[] {
  const governed = (one: {
    readonly id: string;
    readonly description: string;
    readonly applies: boolean;
    readonly exemptedBy: readonly string[];
  }) => (one.applies ? `${one.id} (${one.description})` : `not ${one.id}: exempted by ${one.exemptedBy.join(', ')}`);
  return [
    ...(closed ? ['closed: its data is not what the contract declares'] : []),
    ...filters.map(
      (filter) =>
        `rows: ${governed(filter)}${filter.missingClaims.length > 0 ? `; you lack claim ${filter.missingClaims.join(', ')}` : ''}`,
    ),
    ...columns.map(
      (column) => `${column.name} ${column.type}${column.masks.map((mask) => `; mask ${governed(mask)}`).join('')}`,
    ),
  ];
}
