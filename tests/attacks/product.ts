import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeArrow, writeCsv, writeEmployees, writeJson, writeWide } from './files.ts';
import { type Employee, employees, HIDDEN_NUMBER, TRIPWIRE, visibleEmployees, wide, type World } from './rows.ts';

/** Tables over the same rows, of every format, and with filters that a planner might treat differently. */
export const TABLES = [
  'emp',
  'emp_csv',
  'emp_json',
  'emp_array',
  'emp_arrow',
  'emp_parts',
  'emp_like',
  'emp_team',
] as const;

/** By which filter each is narrowed. A CASE, and a subquery on a mapping table, cost more than any attack. */
const FILTERS: Readonly<Record<(typeof TABLES)[number], string>> = {
  emp: 'tenant = $tenant',
  emp_csv: 'tenant = $tenant',
  emp_json: 'tenant = $claims.tenant',
  emp_array: 'tenant = $tenant',
  emp_arrow: 'tenant = $tenant',
  emp_parts: 'tenant = $tenant',
  emp_like:
    "CASE WHEN tenant LIKE '%' || $tenant || '%' AND regexp_like(name || '', '.') THEN length(tenant) = 1 END OR (name IS NULL AND tenant = $tenant)",
  emp_team: 'dept IN (SELECT dept FROM teams WHERE lead = $claims.lead)',
};

interface Flavour {
  readonly name: string;
  readonly governed: boolean;
  /** Folder of its data, beside the contract. */
  readonly root: string;
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly limits?: string;
}

function contract({ name, governed, root, settings = {}, limits }: Flavour): string {
  const columns = (struct: boolean): string => {
    const attrs = struct ? '\n      attrs: { type: "struct<email: string, level: bigint>" }' : '';
    const raw = governed ? '\n      salary_raw: { type: bigint, tags: [raw] }' : '';
    return `
      id: { type: bigint }
      tenant: { type: string }
      name: { type: string }
      salary: { type: bigint }
      ssn: { type: string, tags: [personal] }
      dept: { type: string }${attrs}
      hired: { type: date, tags: [exact-date] }
      note: { type: string }${raw}`;
  };
  const table = (named: string, catalog: string, path: string, struct = true): string =>
    `  ${named}:\n    catalog: ${catalog}\n    path: ${path}\n    columns:${columns(struct)}\n`;
  return `apiVersion: ambit/v1
kind: DataProduct
name: ${name}
version: 1.0.0
tenant: a
owner: { team: people }
purposes: { analytics: Look at pay by department, billing: Ask for consent }
claims: { tenant: { type: string }, lead: { type: string } }
stores: { lake: { root: ${root} } }
catalogs:
  parquet: { type: parquet, store: lake }
  csv: { type: csv, store: lake }
  json: { type: json, store: lake }
  array: { type: json, store: lake, layout: array }
  arrow: { type: arrow, store: lake }
tables:
${table('emp', 'parquet', 'emp.parquet')}${table('emp_csv', 'csv', 'emp.csv', false)}${table('emp_json', 'json', 'emp.json')}${table('emp_array', 'array', 'emp_array.json')}${table('emp_arrow', 'arrow', 'emp.arrow')}${table('emp_parts', 'parquet', 'parts/')}${table('emp_like', 'parquet', 'emp.parquet')}${table('emp_team', 'parquet', 'emp.parquet')}  teams:
    catalog: csv
    path: teams.csv
    columns: { dept: { type: string }, lead: { type: string } }
  payroll:
    catalog: csv
    path: payroll.csv
    columns: { name: { type: string }, pay: { type: bigint } }
  consent:
    catalog: csv
    path: consent.csv
    columns: { id: { type: bigint }, given: { type: boolean } }
views:
  well_paid: { sql: "SELECT id, name, salary, dept, ssn FROM emp WHERE salary > 400" }
  by_dept: { sql: "SELECT dept, count(*) AS people, min(name) AS first FROM emp GROUP BY dept" }
  costs: { sql: "SELECT sum(pay) AS pay FROM payroll" }
functions:
  allow: ["@aggregate", "@window", "@math", "@string", "@datetime", "@regex", "@conditional", "@nested", "@struct", "@crypto", "@encoding", "@other"]
settings: ${JSON.stringify(settings)}
limits: ${limits ?? '{ timeout: 20s, concurrency: 16 }'}
${governed ? policies() : ''}queries:
  people-of:
    parameters: { dept: { type: string }, top: { type: int, default: 100 } }
    sql: "SELECT id, name, ssn FROM emp WHERE dept = $dept ORDER BY id LIMIT $top"
  total-cost: { sql: "SELECT sum(pay) AS pay FROM payroll" }
`;
}

function policies(): string {
  const rows = Object.entries(FILTERS).map(
    ([table, where]) => `    own-${table.replace('_', '-')}: { table: ${table}, where: ${JSON.stringify(where)} }`,
  );
  return `policies:
  cedar: [people.cedar]
  rows:
${rows.join('\n')}
  masks:
    no-ssn: { tag: personal, with: "'***'" }
    month: { tag: exact-date, with: "CAST(date_trunc('month', value) AS DATE)" }
`;
}

const cedar = `
@id("analysts")
permit (
  principal in Role::"a/analyst",
  action in [Action::"open", Action::"read", Action::"call"],
  resource
) when { context.purpose == "analytics" };
@id("analysts-of-b")
permit (
  principal in Role::"b/analyst",
  action in [Action::"open", Action::"read", Action::"call"],
  resource
) when { context.purpose == "analytics" };
@id("billing")
permit (
  principal in Role::"a/biller",
  action in [Action::"open", Action::"read", Action::"call"],
  resource
) when { context.purpose == "billing" };
@id("auditors")
permit (
  principal in Role::"a/auditor",
  action in [Action::"open", Action::"read", Action::"call", Action::"exempt", Action::"readEvidence"],
  resource
);
@id("no-raw-values")
forbid (principal, action == Action::"read", resource in Tag::"raw") unless { principal in Role::"a/auditor" };
@id("no-payroll")
forbid (principal, action == Action::"read", resource in Table::"payroll") unless { principal in Role::"a/auditor" };
@id("no-teams")
forbid (principal, action == Action::"read", resource in Table::"teams") unless { principal in Role::"a/auditor" };
@id("consent-for-billing")
forbid (principal, action == Action::"read", resource in Table::"consent") unless { context.purpose == "billing" };
`;

/** Without a policy, over data that holds what the policy would leave: only what is granted is declared. */
const plainCedar = `
@id("analysts")
permit (principal, action in [Action::"open", Action::"read", Action::"call"], resource) when { context.purpose == "analytics" };
@id("what-is-not-granted")
forbid (principal, action == Action::"read", resource in Table::"payroll");
@id("nor-this")
forbid (principal, action == Action::"read", resource in Table::"teams");
@id("nor-that")
forbid (principal, action == Action::"read", resource in Table::"consent");
`;

const wideContract = `apiVersion: ambit/v1
kind: DataProduct
name: wide
version: 1.0.0
tenant: a
owner: { team: people }
purposes: { analytics: Look }
stores: { lake: { root: data } }
catalogs: { parquet: { type: parquet, store: lake } }
tables:
  wide:
    catalog: parquet
    path: wide.parquet
    columns: { id: { type: bigint }, tenant: { type: string }, kind: { type: string }, text: { type: string } }
functions: { allow: ["@aggregate", "@string", "@struct", "@nested", "@window", "@conditional", "@other"] }
limits: { timeout: 20s, concurrency: 16 }
policies:
  cedar: [people.cedar]
  rows: { own: { table: wide, where: tenant = $tenant } }
`;

/** Cedar of a product must name what is there. */
const wideCedar = `
@id("analysts")
permit (principal, action in [Action::"open", Action::"read", Action::"call"], resource) when { context.purpose == "analytics" };
`;

/** Writes a world: products, policies and data. Returns the contracts. */
export function writeWorld(folder: string, world: World, options: { readonly wide?: boolean } = {}): readonly string[] {
  const flavours: readonly Flavour[] = [
    { name: 'people', governed: true, root: 'data' },
    {
      name: 'pushed',
      governed: true,
      root: 'data',
      settings: { 'datafusion.execution.parquet.pushdown_filters': true, 'datafusion.execution.target_partitions': 1 },
    },
    { name: 'plain', governed: false, root: 'plain' },
  ];
  writeData(join(folder, 'data'), employees(world), world);
  writeData(join(folder, 'plain'), visibleEmployees(world), world);
  for (const flavour of flavours) writeFileSync(join(folder, `${flavour.name}.yaml`), contract(flavour));
  writeFileSync(join(folder, 'people.cedar'), cedar);
  writeFileSync(join(folder, 'pushed.cedar'), cedar);
  writeFileSync(join(folder, 'plain.cedar'), plainCedar);
  if (options.wide === true) {
    writeFileSync(join(folder, 'wide.yaml'), wideContract.replace('people.cedar', 'wide.cedar'));
    writeFileSync(join(folder, 'wide.cedar'), wideCedar);
    writeWide(join(folder, 'data/wide.parquet'), wide(world));
  }
  const names = [...flavours.map(({ name }) => name), ...(options.wide === true ? ['wide'] : [])];
  return names.map((name) => join(folder, `${name}.yaml`));
}

function writeData(folder: string, rows: readonly Employee[], world: World): void {
  mkdirSync(join(folder, 'parts'), { recursive: true });
  const file = (name: string): string => join(folder, name);
  writeEmployees(file('emp.parquet'), rows);
  const third = Math.ceil(rows.length / 3);
  for (const part of [0, 1, 2]) {
    writeEmployees(file(`parts/${part}.parquet`), rows.slice(part * third, (part + 1) * third));
  }
  writeCsv(file('emp.csv'), rows);
  writeJson(file('emp.json'), rows, 'lines');
  writeJson(file('emp_array.json'), rows, 'array');
  writeArrow(file('emp.arrow'), rows);
  writeFileSync(
    file('teams.csv'),
    `dept,lead\nsales,lea\ncare,lea\nops,lea\n${TRIPWIRE}dept-${world}-1,${TRIPWIRE}lead\n`,
  );
  writeFileSync(file('payroll.csv'), `name,pay\n${TRIPWIRE}pay,${HIDDEN_NUMBER + 1}\n`);
  writeFileSync(file('consent.csv'), 'id,given\n1000,true\n1007,false\n');
}
