import { type Boundary, difference, type Line, textualImplication } from '@ambit/contract';
import { describe, expect, test } from 'vitest';
import { withPolicies } from '../src/index.ts';
import { column, everything, mask, product, rowFilter, table } from './product.ts';

const oracle = withPolicies(textualImplication);

async function linesOf(before: Boundary, after: Boundary): Promise<readonly Line[]> {
  return (await difference(before, after, oracle)).lines;
}

/** Lines between two policy files of the same product. */
const between = (before: string, after: string) => linesOf(product(before), product(after));

const operators = (rest: string) => `@id("p") permit (principal in Role::"mobility/operator", ${rest};`;
const forbid = (rest: string) => `@id("n") forbid (principal, ${rest};`;
const READ = 'action in [Action::"open", Action::"read"], resource)';

describe('a policy that is there on one side only', () => {
  test.each([
    [
      'a permit that is new',
      '',
      operators(READ),
      'widens',
      /^role `operator` of tenant `mobility` may open sessions on and read the product$/,
    ],
    ['a permit that is gone', operators(READ), '', 'narrows', /may no longer, by this policy, open/],
    [
      'a forbid that is new',
      '',
      forbid('action == Action::"read", resource == Column::"flights.delay")'),
      'narrows',
      /^everyone may not read column `flights.delay`$/,
    ],
    [
      'a forbid that is gone',
      forbid('action == Action::"read", resource in Tag::"location")'),
      '',
      'widens',
      /^everyone may, if a policy permits it, read tag `location`$/,
    ],
    [
      'an exemption that is new',
      '',
      operators('action == Action::"exempt", resource == Mask::"day-only") when { context.purpose == "research" }'),
      'widens',
      /^mask `day-only` no longer holds for role `operator` of tenant `mobility`, for purpose `research`$/,
    ],
    [
      'an exemption by tag',
      '',
      operators('action == Action::"exempt", resource) when { resource in [Tag::"location", Tag::"exact-time"] }'),
      'widens',
      /^mask `coarse` and mask `day-only` no longer hold for role/,
    ],
    [
      'an exemption that is gone',
      operators('action == Action::"exempt", resource == RowFilter::"own-state")'),
      '',
      'narrows',
      /^row filter `own-state` holds again for/,
    ],
    [
      'for agents',
      '',
      '@id("p") permit (principal is Agent, action == Action::"open", resource) unless { context.channel == "mcp" };',
      'widens',
      /^agents may open sessions on the product, under conditions that only its text tells$/,
    ],
  ] as const)('%s', async (_, before, after, effect, reason) => {
    expect(await between(everything + before, everything + after)).toEqual([
      expect.objectContaining({ effect, reason: expect.stringMatching(reason), path: '/policies/flights.cedar' }),
    ]);
  });
});

const permit = (rest: string) => `@id("p") permit (${rest};`;
const ANY = `principal, ${READ}`;

describe('a policy that is another one', () => {
  test.each([
    ['one condition more', permit(ANY), permit(`${ANY} when { context.purpose == "research" }`), 'narrows', 'widens'],
    [
      'an `unless` more',
      permit(ANY),
      permit(`${ANY} unless { context.channel == "mcp" || context.purpose == "research" }`),
      'narrows',
      'widens',
    ],
    [
      'one of two purposes',
      permit(`${ANY} when { ["research", "operations"].contains(context.purpose) }`),
      permit(`${ANY} when { context.purpose == "research" }`),
      'narrows',
      'widens',
    ],
    ['a role', permit(ANY), permit(`principal in Role::"mobility/operator", ${READ}`), 'narrows', 'widens'],
    [
      'a kind of principal',
      permit(`principal in Role::"mobility/operator", ${READ}`),
      permit(`principal is User in Role::"mobility/operator", ${READ}`),
      'narrows',
      'widens',
    ],
    ['fewer actions', permit(ANY), permit('principal, action == Action::"read", resource)'), 'narrows', 'widens'],
    [
      'a table',
      permit('principal, action == Action::"read", resource)'),
      permit('principal, action == Action::"read", resource in Table::"flights")'),
      'narrows',
      'widens',
    ],
    [
      'a column of the table',
      permit('principal, action == Action::"read", resource in Table::"flights")'),
      permit('principal, action == Action::"read", resource == Column::"flights.date")'),
      'narrows',
      'widens',
    ],
    [
      'another role',
      permit(`principal in Role::"mobility/operator", ${READ}`),
      permit(`principal in Role::"mobility/auditor", ${READ}`),
      'widens',
      'widens',
    ],
    [
      'another purpose',
      permit(`${ANY} when { context.purpose == "research" }`),
      permit(`${ANY} when { context.purpose == "operations" }`),
      'widens',
      'widens',
    ],
    [
      'a role less, a condition more',
      permit(`principal in Role::"mobility/operator", ${READ}`),
      permit(`${ANY} when { context.purpose == "research" }`),
      'widens',
      'widens',
    ],
    [
      'a condition that was negated',
      permit(`${ANY} when { context.claims has state }`),
      permit(`${ANY} unless { context.claims has state }`),
      'widens',
      'widens',
    ],
    [
      'the same conditions in another order',
      permit(`${ANY} when { context.purpose == "research" && context.channel == "http" }`),
      permit(`${ANY} when { "http" == context.channel } when { context.purpose == "research" }`),
      'changes',
      'changes',
    ],
  ] as const)('%s', async (_, before, after, effect, back) => {
    const [line, ...others] = await between(before, after);
    expect(others).toEqual([]);
    expect(line).toMatchObject({ effect, subject: 'policy `p`' });
    expect(await between(after, before)).toMatchObject([{ effect: back }]);
  });

  test('a forbid that reaches less far widens', async () => {
    const [all, some] = [
      forbid('action == Action::"read", resource in Table::"flights")'),
      forbid('action == Action::"read", resource == Column::"flights.date")'),
    ];
    expect(await between(everything + all, everything + some)).toMatchObject([{ effect: 'widens' }]);
    expect(await between(everything + some, everything + all)).toMatchObject([{ effect: 'narrows' }]);
  });

  test('a name or a comment changes nothing but the text', async () => {
    const named = permit(ANY);
    expect(await between(named, named.replace('"p"', '"q"'))).toMatchObject([
      { effect: 'changes', before: 'flights.cedar#p', after: 'flights.cedar#q' },
    ]);
    expect(await between(named, `// why\n${named}`)).toMatchObject([
      { effect: 'changes', reason: expect.stringContaining('spelling') },
    ]);
  });

  test('what cannot be read widens', async () => {
    expect(await between(everything, 'permit (')).toMatchObject([
      { effect: 'widens', reason: expect.stringContaining('cannot be read') },
    ]);
  });
});

describe('what policies make of other members', () => {
  const secret = forbid('action == Action::"read", resource in Tag::"secret")');
  const tagged =
    (...tags: string[]) =>
    (policies: string) =>
      product(policies, {
        tables: {
          flights: table(column('date', ['exact-time', ...tags]), column('delay', ['secret'])),
          airports: table(column('iata')),
        },
        views: {},
        queries: {},
        masks: { 'day-only': mask([{ table: 'flights', column: 'date' }], 'exact-time') },
      });
  const [without, within] = [tagged(), tagged('secret')];

  test('a tag that a forbid names narrows when it comes, and widens when it goes', async () => {
    const policies = everything + secret;
    expect(await linesOf(without(policies), within(policies))).toMatchObject([
      { effect: 'narrows', path: '/tables/flights/columns/date/tags' },
    ]);
    expect(await linesOf(within(policies), without(policies))).toMatchObject([{ effect: 'widens' }]);
  });

  test('a tag that stands in an `unless` may do anything', async () => {
    const policies =
      everything + forbid('action == Action::"read", resource is Column) unless { resource in Tag::"secret" }');
    expect(await linesOf(without(policies), within(policies))).toMatchObject([{ effect: 'widens' }]);
    expect(await linesOf(within(policies), without(policies))).toMatchObject([{ effect: 'widens' }]);
  });

  test('a tag that nobody names changes nothing', async () => {
    expect(await linesOf(without(everything), within(everything))).toMatchObject([{ effect: 'changes' }]);
  });

  test('an environment, a version and a claim widen where a policy looks at them', async () => {
    const of = (policies: string, changes: Partial<Boundary>) => linesOf(product(policies), product(policies, changes));
    const looking = (when: string) => permit(`principal, action == Action::"open", resource) when { ${when} }`);
    const { claims, product: identity } = product('');
    expect(await of(everything, { environment: 'production' })).toMatchObject([{ effect: 'changes' }]);
    expect(await of(looking('context.environment == "test"'), { environment: 'production' })).toMatchObject([
      { effect: 'widens' },
    ]);
    const next = { product: { ...identity, version: '1.1.0' } };
    expect(await of(everything, next)).toMatchObject([{ effect: 'changes' }]);
    expect(await of(looking('resource.version == "1.1.0"'), next)).toMatchObject([{ effect: 'widens' }]);
    const level = { claims: { ...claims, level: { type: 'string', description: '' } } };
    expect(await of(everything, level)).toMatchObject([{ effect: 'changes' }]);
    for (const when of ['context.claims has level', 'context has claims.level', 'context.claims == {"state": "CA"}']) {
      const lines = await of(looking(when), level);
      expect(
        lines.map(({ effect }) => effect),
        when,
      ).toContain('widens');
    }
  });
});

describe('a row filter beside others', () => {
  const only = { ...rowFilter('flights'), where: 'delay < 5' };
  const both = { old: only, 'own-state': { ...only } };
  const bare = (rowFilters: Boundary['rowFilters']) => (policies: string) => product(policies, { rowFilters });

  test('can go where one that nobody is exempted from says as much', async () => {
    const lines = await linesOf(bare(both)(everything), bare({ 'own-state': only })(everything));
    expect(lines).toMatchObject([{ effect: 'changes', reason: expect.stringContaining('with `own-state`') }]);
  });

  test('cannot go where somebody is exempted from the other', async () => {
    const policies = everything + operators('action == Action::"exempt", resource == RowFilter::"own-state")');
    const lines = await linesOf(bare(both)(policies), bare({ 'own-state': only })(policies));
    expect(lines).toMatchObject([{ effect: 'widens', path: '/rowFilters/old' }]);
  });
});
