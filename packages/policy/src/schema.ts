import type { Boundary } from '@ambit/contract';

/** What all products share: emitted to `schemas/ambit.cedarschema`. `{{claims}}` is where a contract's claims stand. */
const COMMON = `// Who asks. Ids are \`tenant/name\`, so that one tenant's \`maria\` or \`operator\` is never another's.
entity Role;
entity User in [Role] { tenant: String, principal: String };
entity Service in [Role] { tenant: String, principal: String };
entity Agent in [Role] { tenant: String, principal: String, onBehalfOf?: { tenant: String, principal: String } };
entity Anonymous { tenant: String };

// What is asked for. Ids are names of one product: a table's is \`flights\`, a column's \`flights.delay\`.
entity Product { tenant: String, name: String, version: String };
entity Tag in [Product];
entity Table in [Product];
entity Column in [Table, Tag];
entity View in [Product];
entity Function in [Product];
entity RowFilter in [Table, Product];
entity Mask in [Tag, Product];

type Asking = {
  purpose: String,
  environment: String,
  channel: String,
  claims: {{claims}},
};

// A session on the product, with this purpose.
action open appliesTo { principal: [User, Service, Agent, Anonymous], resource: [Product], context: Asking };
// A permit on a product or table covers the columns in it; a forbid on a column or tag takes it away.
action read appliesTo { principal: [User, Service, Agent, Anonymous], resource: [Product, Table, Column, View], context: Asking };
action call appliesTo { principal: [User, Service, Agent, Anonymous], resource: [Product, Function], context: Asking };
// Lifts a row filter or a mask. A permit that covers it must name it.
action exempt appliesTo { principal: [User, Service, Agent, Anonymous], resource: [RowFilter, Mask], context: Asking };
action explain appliesTo { principal: [User, Service, Agent, Anonymous], resource: [Product], context: Asking };
// The whole evidence of other subjects' sessions on the product.
action readEvidence appliesTo { principal: [User, Service, Agent, Anonymous], resource: [Product], context: Asking };
action review appliesTo { principal: [User], resource: [Product], context: Asking };
`;

/** The schema of a product: the common part with its claims. Without a boundary, the part that is published. */
export function cedarSchema(boundary?: Pick<Boundary, 'claims'>): string {
  const claims = Object.entries(boundary?.claims ?? {}).map(([name, { type }]) => `"${name}"?: ${cedarType(type)}`);
  return COMMON.replace('{{claims}}', claims.length === 0 ? '{}' : `{ ${claims.join(', ')} }`);
}

/** Cedar knows no dates, decimals or floats: as claims they are text. */
export function cedarType(type: string): 'Bool' | 'Long' | 'String' {
  if (type === 'boolean') return 'Bool';
  return ['tinyint', 'smallint', 'int', 'bigint'].includes(type) ? 'Long' : 'String';
}
