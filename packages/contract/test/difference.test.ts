import { describe, expect, test } from 'vitest';
import {
  type Boundary,
  type BoundaryRule,
  difference,
  type Implication,
  type Implied,
  type Line,
  type PolicyReader,
} from '../src/index.ts';
import { product, mask, rowFilter, table, column } from '../../policy/test/product.ts';

/** No policy names anything, nor exempts anybody. */
const policies: PolicyReader = { lines: () => [], naming: () => [], exempting: () => [] };

/** Decides what a test says that it decides, and remembers what it was asked. */
function deciding(...implied: readonly (readonly [stronger: string, weaker: string])[]): Implication {
  const decide = (stronger: string, weaker: string): Promise<Implied> => {
    const yes = implied.some(([one, other]) => one === stronger && other === weaker);
    return Promise.resolve({ answer: yes ? 'yes' : 'cannot tell', reason: yes ? 'it was decided' : 'it is not known' });
  };
  return {
    implies: (_around, stronger, weaker) => decide(stronger, weaker),
    coarsens: (_around, _column, before, after) => decide(after, before),
  };
}

const base = product('', {
  tables: {
    flights: table({ ...column('delay'), type: 'bigint' }, column('origin'), { ...column('date'), type: 'timestamp' }),
    airports: table(column('iata')),
  },
  views: {},
  queries: {},
  rowFilters: {},
  masks: {},
});

async function linesOf(
  before: Partial<Boundary>,
  after: Partial<Boundary>,
  implication = deciding(),
): Promise<readonly Line[]> {
  return (await difference({ ...base, ...before }, { ...base, ...after }, { ...implication, policies })).lines;
}

describe('row filters', () => {
  const filter = (where: string, claims: readonly string[] = []): Boundary['rowFilters'][string] => ({
    ...rowFilter('flights'),
    where,
    claims,
  });
  const change = (
    before: Boundary['rowFilters'][string],
    after: Boundary['rowFilters'][string],
    ...implied: readonly (readonly [string, string])[]
  ) => linesOf({ rowFilters: { f: before } }, { rowFilters: { f: after } }, deciding(...implied));

  test('one that is removed widens, one that is added narrows', async () => {
    const own = { rowFilters: { 'own-state': filter('origin = $claims.state') } };
    expect(await linesOf(own, {})).toEqual([
      {
        path: '/rowFilters/own-state',
        subject: 'row filter `own-state` of table `flights`',
        before: 'origin = $claims.state',
        after: null,
        effect: 'widens',
        reason: 'everyone for whom it held sees all rows of `flights`',
      },
    ]);
    expect(await linesOf({}, own)).toMatchObject([{ effect: 'narrows' }]);
  });

  test('one that implies what it was narrows, one that is implied by it widens, and both say the same', async () => {
    expect(await change(filter('a'), filter('b'), ['b', 'a'])).toMatchObject([
      { effect: 'narrows', path: '/rowFilters/f/where' },
    ]);
    expect(await change(filter('a'), filter('b'), ['a', 'b'])).toMatchObject([{ effect: 'widens' }]);
    expect(await change(filter('a'), filter('b'), ['b', 'a'], ['a', 'b'])).toMatchObject([{ effect: 'changes' }]);
    expect(await change(filter('a'), filter('b'))).toMatchObject([
      { effect: 'widens', reason: expect.stringContaining('it is not known') },
    ]);
  });

  test('one that no longer names a claim lets in who lacked it', async () => {
    const lines = await change(filter('a', ['state']), filter('b'), ['b', 'a']);
    expect(lines.filter(({ effect }) => effect === 'widens').length).toBeGreaterThan(0);
  });

  test('one that looks into another table means something else when that lies elsewhere', async () => {
    const rowFilters = {
      f: {
        ...filter('origin IN (SELECT iata FROM airports)'),
        reads: { tables: { airports: ['iata'] }, views: [], functions: [] },
      },
    };
    const airports = { ...table(column('iata')), path: 'other.parquet' };
    const lines = await linesOf({ rowFilters }, { rowFilters, tables: { ...base.tables, airports } });
    expect(lines).toMatchObject([
      {
        path: '/rowFilters/f',
        effect: 'widens',
        reason: expect.stringContaining('table `airports`, which lies elsewhere'),
      },
      { path: '/tables/airports/path', effect: 'changes' },
    ]);
  });

  test('one over a column of another type means something else', async () => {
    const rowFilters = { f: filter('delay < 5') };
    const flights = table(column('delay'), column('origin'), { ...column('date'), type: 'timestamp' });
    const lines = await linesOf({ rowFilters }, { rowFilters, tables: { ...base.tables, flights } });
    expect(lines[0]).toMatchObject({ path: '/rowFilters/f', effect: 'widens' });
  });

  test('one that moves to another table is gone from the first', async () => {
    const lines = await linesOf(
      { rowFilters: { f: filter('true') } },
      { rowFilters: { f: { ...filter('true'), table: 'airports' } } },
    );
    expect(lines.map(({ effect }) => effect)).toEqual(['widens', 'narrows']);
  });
});

describe('masks', () => {
  const on = (name: string, sql: string, order: number | null = null): Boundary['masks'][string] => ({
    ...mask([{ table: 'flights', column: name }], null, order),
    with: sql,
  });

  test.each([
    ['a constant', 'date', "date_trunc('day', value)", 'NULL', 'narrows'],
    ['what is decided to be less', 'delay', 'value / 15 * 15', 'value / 60 * 60', 'narrows'],
    ['what nobody can decide', 'delay', 'value / 15 * 15', 'value / 40 * 40', 'widens'],
    ['something made of it and another column', 'origin', 'left(value, 2)', 'concat(left(value, 2), date)', 'widens'],
  ] as const)('one that shows %s', async (_, name, before, after, effect) => {
    const decided = deciding(['value / 60 * 60', 'value / 15 * 15']);
    expect(await linesOf({ masks: { m: on(name, before) } }, { masks: { m: on(name, after) } }, decided)).toMatchObject(
      [{ path: '/masks/m/with', effect }],
    );
  });

  test.each([
    ['of the value narrows', 'value / 15 * 15', 'narrows'],
    ['of another column widens: it may show that', 'CASE WHEN value > 0 THEN 1 ELSE length(origin) END', 'widens'],
    ['of the column that nothing else masks narrows', 'delay / 15 * 15', 'narrows'],
    ['with a subquery widens', '(SELECT max(latitude) FROM places)', 'widens'],
  ] as const)('one that is added and is made %s', async (_, sql, effect) => {
    expect(await linesOf({}, { masks: { m: on('delay', sql) } })).toMatchObject([
      { subject: 'mask `m` on `flights.delay`', effect },
    ]);
  });

  test('one that is added before another may show more, behind it less', async () => {
    const steps = on('delay', 'value / 15 * 15', 5);
    const added = (order: number) =>
      linesOf({ masks: { m: steps } }, { masks: { m: steps, n: on('delay', 'value * 100', order) } });
    expect(await added(4)).toMatchObject([{ effect: 'widens' }]);
    expect(await added(6)).toMatchObject([{ effect: 'narrows' }]);
  });

  test('two that change places widen', async () => {
    const [a, b] = [
      (order: number) => on('delay', 'value / 15 * 15', order),
      (order: number) => on('delay', '-value', order),
    ];
    const lines = await linesOf({ masks: { a: a(1), b: b(2) } }, { masks: { a: a(2), b: b(1) } });
    expect(lines[0]).toMatchObject({ effect: 'widens', subject: 'the order of masks on `flights.delay`' });
  });

  test('one that is removed widens, unless its column went too', async () => {
    const masks = { m: on('delay', 'NULL') };
    expect(await linesOf({ masks }, {})).toMatchObject([{ effect: 'widens', before: 'NULL', after: null }]);
    const flights = table(column('origin'), { ...column('date'), type: 'timestamp' });
    const lines = await linesOf({ masks }, { tables: { ...base.tables, flights } });
    expect(lines.map(({ effect }) => effect)).toEqual(['narrows', 'narrows']);
  });
});

function owned(owner: Partial<Boundary['product']['owner']>): Partial<Boundary> {
  return { product: { ...base.product, owner: { ...base.product.owner, ...owner } } };
}

const issuer: NonNullable<Boundary['issuers']>[string] = {
  audience: 'ambit',
  jwks: 'https://id/keys',
  algorithms: ['ES256'],
  tenant: 'mobility',
  type: null,
  principal: 'sub',
  roles: 'roles',
  kind: null,
  claims: {},
};

describe('other members', () => {
  test.each<[string, Partial<Boundary>, Partial<Boundary>, string, string]>([
    [
      'a reviewer more',
      {},
      { product: { ...base.product, owner: { team: 'data', reviewers: [{ name: 'ann', keys: ['k'], emails: [] }] } } },
      'widens',
      'widens',
    ],
    ['an agent more', {}, owned({ agents: [{ name: 'bot', keys: ['k'], emails: [] }] }), 'narrows', 'widens'],
    ['more people to approve', owned({ approvals: {} }), owned({ approvals: { widens: 3 } }), 'narrows', 'widens'],
    ['tests to approve', owned({ approvals: {} }), owned({ approvals: { tests: 'required' } }), 'narrows', 'widens'],
    ['a purpose more', {}, { purposes: { ...base.purposes, audit: { description: '' } } }, 'widens', 'narrows'],
    ['anonymous requests', {}, { anonymous: { purposes: ['research'], claims: {} } }, 'widens', 'narrows'],
    ['a longer scope', {}, { session: { scope: 'request', maxScope: 'tenant' } }, 'widens', 'narrows'],
    [
      'another root',
      {},
      { stores: { lake: { kind: 'local', root: 'elsewhere', credential: null } } },
      'changes',
      'changes',
    ],
    ['a table more', {}, { tables: { ...base.tables, places: table(column('latitude')) } }, 'widens', 'narrows'],
    [
      'a column more',
      {},
      { tables: { ...base.tables, airports: table(column('iata'), column('city')) } },
      'widens',
      'narrows',
    ],
    [
      'no statistics',
      {},
      { tables: { ...base.tables, airports: { ...table(column('iata')), statistics: false } } },
      'narrows',
      'widens',
    ],
    ['functions more', {}, { functions: [...base.functions, 'upper', 'trim'].toSorted() }, 'widens', 'narrows'],
    ['an issuer more', {}, { issuers: { 'https://id': issuer } }, 'widens', 'narrows'],
    ...Object.entries({
      audience: 'others',
      jwks: 'other.json',
      tenant: 'other',
      principal: 'name',
      roles: 'groups',
      kind: 'kind',
      claims: { state: 'home' },
    }).map(([member, other]): [string, Partial<Boundary>, Partial<Boundary>, string, string] => [
      `another ${member} of an issuer`,
      { issuers: { 'https://id': issuer } },
      { issuers: { 'https://id': { ...issuer, [member]: other } } },
      'widens',
      'widens',
    ]),
    [
      'an algorithm more',
      { issuers: { 'https://id': issuer } },
      { issuers: { 'https://id': { ...issuer, algorithms: ['ES256', 'RS256'] } } },
      'widens',
      'narrows',
    ],
    [
      'one type of tokens',
      { issuers: { 'https://id': issuer } },
      { issuers: { 'https://id': { ...issuer, type: 'at+JWT' } } },
      'narrows',
      'widens',
    ],
    ['a limit that the environment sets', {}, { lowered: ['rows'] }, 'changes', 'changes'],
    ['a higher limit', {}, { limits: { ...base.limits, rows: 2 } }, 'widens', 'narrows'],
    ['another engine', {}, { engine: { name: 'datafusion', version: '56.0.0' } }, 'changes', 'changes'],
  ])('%s', async (_, before, after, effect, back) => {
    expect(await linesOf(before, after)).toMatchObject([{ effect }]);
    expect(await linesOf(after, before)).toMatchObject([{ effect: back }]);
  });

  test('a setting by which SQL means something else widens where something is governed', async () => {
    const settings = (value: string): Partial<Boundary> => ({
      settings: { 'datafusion.sql_parser.dialect': { value, origin: 'contract' } },
    });
    expect(await linesOf(settings('generic'), settings('mysql'))).toMatchObject([{ effect: 'changes' }]);
    const rowFilters = { f: rowFilter('flights') };
    const lines = await linesOf({ ...settings('generic'), rowFilters }, { ...settings('mysql'), rowFilters });
    expect(lines).toMatchObject([{ effect: 'widens' }]);
  });

  test('a member that no rule knows widens', async () => {
    const unheard = { unheard: { of: 1 } } as Partial<Boundary>;
    expect(await linesOf({}, unheard)).toMatchObject([
      { path: '/unheard', effect: 'widens', reason: expect.stringContaining('no rule') },
    ]);
  });

  test('the whole is what an owner must look at', async () => {
    const found = async (after: Partial<Boundary>) =>
      (await difference(base, { ...base, ...after }, { ...deciding(), policies })).effect;
    const less = { functions: [] };
    expect(await found(less)).toBe('narrows');
    expect(await found({ ...less, engine: { name: 'datafusion', version: '56.0.0' } })).toBe('changes');
    expect(await found({ ...less, limits: { ...base.limits, rows: 2 } })).toBe('widens');
  });
});

describe('promises', () => {
  const rule = (more: Partial<BoundaryRule> = {}): BoundaryRule => ({
    description: '',
    dimension: null,
    column: 'delay',
    measure: { metric: 'nullValues' },
    unit: 'rows',
    operator: 'mustBe',
    than: ['0'],
    severity: 'error',
    onFailure: 'report',
    ...more,
  });
  const rules = (one: BoundaryRule): Partial<Boundary> => ({ quality: { flights: { 'delay.there': one } } });

  test('of what data is like show nobody more or less rows', async () => {
    const subject = 'quality rule `delay.there` of table `flights`';
    expect(await linesOf({}, rules(rule()))).toMatchObject([
      { path: '/quality/flights/delay.there', subject, before: null, after: 'nullValues mustBe 0', effect: 'changes' },
    ]);
    expect(await linesOf(rules(rule()), {})).toMatchObject([{ effect: 'changes', after: null }]);
    for (const other of [
      { than: ['1'] },
      { operator: 'mustNotBe' },
      { unit: 'percent' },
      { severity: 'info' },
    ] as const)
      expect(await linesOf(rules(rule()), rules(rule(other)))).toMatchObject([{ effect: 'changes' }]);
  });

  test('that close a table let nobody read it where they fail, and what they fail nobody can compare', async () => {
    const closing = rules(rule({ onFailure: 'close' }));
    expect(await linesOf({}, closing)).toMatchObject([{ effect: 'narrows' }]);
    expect(await linesOf(closing, {})).toMatchObject([{ effect: 'widens' }]);
    expect(await linesOf(rules(rule()), closing)).toMatchObject([{ effect: 'narrows', after: 'close' }]);
    expect(await linesOf(closing, rules(rule()))).toMatchObject([{ effect: 'widens' }]);
    expect(await linesOf(closing, rules(rule({ onFailure: 'close', than: ['1'] })))).toMatchObject([
      { effect: 'widens', subject: 'the threshold of quality rule `delay.there` of table `flights`' },
    ]);
  });

  test('of the service are words', async () => {
    const level = {
      description: '',
      property: 'freshness',
      value: 1,
      unit: 'd',
      element: 'flights.date',
      driver: null,
    };
    expect(await linesOf({}, { serviceLevels: { fresh: level } })).toMatchObject([
      { path: '/serviceLevels/fresh', after: 'freshness 1 d of flights.date', effect: 'changes' },
    ]);
    expect(
      await linesOf({ serviceLevels: { fresh: level } }, { serviceLevels: { fresh: { ...level, value: 2 } } }),
    ).toMatchObject([{ path: '/serviceLevels/fresh/value', before: '1', after: '2', effect: 'changes' }]);
  });

  test('change nothing of what a row filter can be compared by', async () => {
    const filter = (where: string) => ({ f: { ...rowFilter('flights'), where } });
    const asked: string[] = [];
    const watched: Implication = {
      ...deciding(),
      implies: async (around) => {
        asked.push(...around.unchanged);
        return { answer: 'yes', reason: '' };
      },
    };
    await linesOf({ rowFilters: filter('a') }, { rowFilters: filter('b'), ...rules(rule()) }, watched);
    expect(asked).toContain('flights');
  });
});
