import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Never leaves the server by any way: it stands in rows that a filter hides, a denied column, a denied table. */
export const HIDDEN = 'TRIPWIRE-9f27';

const contract = `
apiVersion: ambit/v1
kind: DataProduct
name: shop
version: 1.2.0
tenant: north
description: Orders of a shop SALT
owner: { team: shop-data }
purposes: { reporting: What was sold, audit: Look into a complaint }
claims: { region: { type: string } }
stores: { lake: { root: data } }
catalogs: { csv: { type: csv, store: lake } }
tables:
  orders:
    description: What was ordered
    catalog: csv
    path: orders.csv
    columns:
      id: { type: bigint, description: Number of the order }
      region: { type: string }
      amount: { type: double }
      customer: { type: string, tags: [personal] }
      margin_code: { type: string }
  owners:
    catalog: csv
    path: owners.csv
    columns: { region: { type: string }, lead: { type: string } }
  payroll:
    catalog: csv
    path: payroll.csv
    columns: { name: { type: string }, pay: { type: bigint } }
  numbers:
    catalog: csv
    path: numbers.csv
    columns: { i: { type: bigint } }
  readings:
    catalog: csv
    path: readings.csv
    columns: { i: { type: bigint }, value: { type: bigint } }
views:
  regional: { description: Sales by region, sql: "SELECT region, count(*) AS orders FROM orders GROUP BY region" }
functions: { allow: ["@aggregate", lower, substr] }
limits: { timeout: 20s, rows: 200000, concurrency: 4, queue: 1 }
policies:
  rows:
    own-region:
      description: Orders of your own region
      table: orders
      where: "region IN (SELECT region FROM owners WHERE region = $claims.region)"
  masks:
    first-letter: { description: No customer by name, tag: personal, with: "substr(value, 1, 1)" }
queries:
  largest:
    description: The largest orders
    parameters:
      above: { type: double, default: 0, description: Amount }
      top: { type: int }
    sql: "SELECT id, amount FROM orders WHERE amount > $above ORDER BY amount DESC LIMIT $top"
  everything-paid:
    sql: "SELECT sum(pay) AS pay FROM payroll"
`;

const policies = `
@id("analysts")
permit (principal in Role::"north/analyst", action in [Action::"open", Action::"read", Action::"call"], resource)
when { context.purpose == "reporting" };
@id("not-for-reporting")
forbid (principal, action == Action::"read", resource)
when {
  context.purpose == "reporting" &&
  (resource in Table::"payroll" || resource in Table::"owners" || resource == Column::"orders.margin_code")
};
@id("auditors")
permit (
  principal in Role::"north/auditor",
  action in [Action::"open", Action::"read", Action::"call", Action::"exempt", Action::"readEvidence"],
  resource
) when { context.purpose == "audit" };
`;

/** A product that everybody may open, without a credential for one of its purposes. */
const openContract = `
apiVersion: ambit/v1
kind: DataProduct
name: weather
version: 0.1.0
tenant: north
description: Weather SALT
owner: { team: weather }
purposes: { browsing: Have a look, planning: Plan ahead }
anonymous: { purposes: [browsing] }
stores: { lake: { root: data } }
catalogs: { csv: { type: csv, store: lake } }
tables:
  days: { catalog: csv, path: days.csv, columns: { day: { type: date }, rain: { type: boolean } } }
functions: { allow: ["@aggregate"] }
queries:
  rainy:
    parameters: { rain: { type: boolean, default: true }, since: { type: date, default: "2001-01-01" } }
    sql: "SELECT day FROM days WHERE rain = $rain AND day >= $since ORDER BY day"
`;

const openPolicies = `
@id("everybody")
permit (principal, action in [Action::"open", Action::"read", Action::"call"], resource);
`;

/** A product of another tenant. */
const foreignContract = `
apiVersion: ambit/v1
kind: DataProduct
name: vault
version: 1.0.0
tenant: south
description: Coins SALT
owner: { team: vault }
purposes: { reporting: Count }
stores: { lake: { root: data } }
catalogs: { csv: { type: csv, store: lake } }
tables: { coins: { catalog: csv, path: coins.csv, columns: { worth: { type: bigint } } } }
functions: { allow: ["@aggregate"] }
`;

const foreignPolicies = `
@id("keepers")
permit (principal in Role::"south/keeper", action in [Action::"open", Action::"read", Action::"call"], resource);
`;

const NUMBERS = 3_000;
const READINGS = 60_000;

/** Writes contracts, policies and data. Returns the contract files. Another salt gives other boundaries. */
export async function writeProducts(folder: string, salt: string, timeout = '20s'): Promise<readonly string[]> {
  const data = join(folder, 'data');
  await mkdir(data);
  const rows = (count: number, row: (i: number) => string): string =>
    Array.from({ length: count }, (_, i) => row(i)).join('\n');
  const files: Record<string, string> = {
    'shop.yaml': contract,
    'shop.cedar': policies,
    'weather.yaml': openContract,
    'weather.cedar': openPolicies,
    'vault.yaml': foreignContract,
    'vault.cedar': foreignPolicies,
    'data/orders.csv': `id,region,amount,customer,margin_code\n1,west,10.5,Ann,${HIDDEN}-a\n2,west,20,Bo,${HIDDEN}-b\n3,east,30,${HIDDEN}-c,m\n`,
    'data/owners.csv': `region,lead\nwest,Wanda\neast,${HIDDEN}\n`,
    'data/payroll.csv': `name,pay\n${HIDDEN},1\n`,
    'data/numbers.csv': `i\n${rows(NUMBERS, String)}\n`,
    // Its last value is none.
    'data/readings.csv': `i,value\n${rows(READINGS, (i) => `${i},${i % 7}`)}\n${READINGS},${HIDDEN}\n`,
    'data/days.csv': 'day,rain\n2001-01-01,true\n2001-01-02,false\n2001-01-03,true\n',
    'data/coins.csv': 'worth\n7\n',
  };
  for (const [file, text] of Object.entries(files)) {
    await writeFile(join(folder, file), text.replace('SALT', salt).replace('timeout: 20s', `timeout: ${timeout}`));
  }
  return ['shop', 'weather', 'vault'].map((name) => join(folder, `${name}.yaml`));
}

const FOREVER = 'WITH RECURSIVE t AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM t WHERE i < 1000000000)';
/** Takes minutes, and gives no byte until then. */
export const SLOW = `${FOREVER} SELECT count(*) AS n FROM t`;
/** Gives rows at once, and then takes minutes. */
export const SLOW_END = `${FOREVER} SELECT i FROM readings WHERE i < 50000 UNION ALL SELECT count(*) FROM t`;
