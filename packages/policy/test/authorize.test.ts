import { expect, describe, test } from 'vitest';
import { digest, fingerprint, type Boundary } from '@ambit/contract';
import {
  type Authorization,
  authorize,
  compilePolicies,
  type Grant,
  mayReadEvidence,
  type Refusal,
  type Subject,
} from '../src/index.ts';
import { column, everything, mask, product, query, shown, subject, table, view } from './product.ts';

function ask(
  policies: string,
  changes: Partial<Subject> = {},
  purpose: string | null = 'operations',
  boundary: Partial<Boundary> = {},
): Authorization {
  return authorize(compilePolicies(product(policies, boundary)), subject(changes), purpose);
}

function granted(answer: Authorization): Grant & { readonly digest: string } {
  if (!answer.allowed) throw new Error(`refused: ${answer.refusal.code}`);
  return answer.grant;
}

function refused(answer: Authorization): Refusal {
  if (answer.allowed) throw new Error('granted');
  return answer.refusal;
}

const columnsOf = (grant: Grant, name: string): string[] => grant.tables[name]?.columns.map((one) => one.name) ?? [];

describe('opening', () => {
  const forOperations = `@id("open") permit (principal in Role::"mobility/operator", action == Action::"open", resource) when { context.purpose == "operations" };`;

  test('without any policy there is no product', () => {
    expect(refused(ask('')).code).toBe('product_unknown');
    expect(refused(ask('', {}, null)).code).toBe('product_unknown');
  });

  test('a subject that may open it for no purpose learns nothing but that, whatever it asks for', () => {
    const answers = ['operations', 'research', 'nonsense', null].map((purpose) => {
      const { code, message, hint } = refused(ask(forOperations, { roles: ['auditor'] }, purpose));
      return { code, message, hint };
    });
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]?.code).toBe('product_unknown');
    expect(JSON.stringify(answers)).not.toMatch(/operations|research/);
  });

  test('a purpose is never guessed, not even the only one', () => {
    const refusal = refused(ask(forOperations, {}, null));
    expect(refusal.code).toBe('purpose_required');
    expect(`${refusal.message} ${refusal.hint}`).toContain('operations');
    expect(`${refusal.message} ${refusal.hint}`).not.toContain('research');
  });

  test('a purpose that is not permitted and one that is not declared get the same answer', () => {
    const [declared, undeclared] = ['research', 'reading'].map((purpose) => {
      const { code, message, hint } = refused(ask(forOperations, {}, purpose));
      return { code, message: message.replace(purpose, '...'), hint };
    });
    expect(declared).toEqual(undeclared);
    expect(declared?.code).toBe('purpose_refused');
    expect(declared?.hint).not.toContain('research');
  });

  test('a role of another tenant is another role', () => {
    expect(ask(forOperations, { tenant: 'mobility' }).allowed).toBe(true);
    expect(refused(ask(forOperations, { tenant: 'skyline-air' })).code).toBe('product_unknown');
    expect(refused(ask(forOperations, { tenant: 'skyline-air', roles: ['mobility/operator'] })).code).toBe(
      'product_unknown',
    );
  });

  test('words that a prototype has are no purposes', () => {
    for (const word of ['constructor', '__proto__', 'toString']) {
      expect(refused(ask(everything, {}, word)).code).toBe('purpose_refused');
    }
  });

  test('environment, channel, tenant and delegation decide too', () => {
    const policy = (condition: string): string =>
      `@id("open") permit (principal, action == Action::"open", resource) when { ${condition} };`;
    expect(ask(policy('context.environment == "development"')).allowed).toBe(true);
    expect(ask(policy('context.environment == "production"')).allowed).toBe(false);
    expect(ask(policy('context.channel == "mcp"')).allowed).toBe(false);
    expect(ask(policy('context.channel == "mcp"'), { channel: 'mcp' }).allowed).toBe(true);
    expect(ask(policy('principal.tenant == resource.tenant')).allowed).toBe(true);
    expect(ask(policy('principal.tenant == resource.tenant'), { tenant: 'skyline-air' }).allowed).toBe(false);
    const agents = policy(
      'principal is Agent && principal has onBehalfOf && principal.onBehalfOf.principal == "maria"',
    );
    const onBehalfOf = { tenant: 'mobility', principal: 'maria' };
    expect(ask(agents, { kind: 'agent', onBehalfOf }).allowed).toBe(true);
    expect(ask(agents, { kind: 'agent' }).allowed).toBe(false);
    expect(ask(agents, { kind: 'service', onBehalfOf }).allowed).toBe(false);
  });
});

describe('what is granted', () => {
  test('a permit on the product covers what is in it, and lifts nothing', () => {
    expect(shown(granted(ask(everything)))).toEqual({
      tables: {
        flights: { columns: ['date < day-only', 'delay < quarters', 'origin'], filters: ['own-state', 'released'] },
        airports: { columns: ['iata', 'latitude < coarse', 'longitude < coarse'], filters: [] },
      },
      views: ['delays', 'summary'],
      functions: ['avg', 'lower', 'sum'],
      queries: ['worst'],
    });
  });

  test('a permit to open alone shows nothing', () => {
    const grant = granted(ask('@id("open") permit (principal, action == Action::"open", resource);'));
    expect(shown(grant)).toEqual({ tables: {}, views: [], functions: [], queries: [] });
  });

  test('a forbid takes a column away, by itself and by its tag, and with it all that reads it', () => {
    const byColumn = granted(
      ask(`${everything}@id("no") forbid (principal, action == Action::"read", resource == Column::"flights.delay");`),
    );
    expect(columnsOf(byColumn, 'flights')).toEqual(['date', 'origin']);
    expect(byColumn.views).toEqual({});
    expect(byColumn.queries).toEqual([]);
    const byTag = granted(
      ask(`${everything}@id("no") forbid (principal, action == Action::"read", resource in Tag::"location");`),
    );
    expect(columnsOf(byTag, 'airports')).toEqual(['iata']);
    const bySecondTag = granted(
      ask(`${everything}@id("no") forbid (principal, action == Action::"read", resource in Tag::"exact-place");`),
    );
    expect(columnsOf(bySecondTag, 'airports')).toEqual(['iata', 'latitude']);
  });

  test('a table without a visible column is not there', () => {
    const grant = granted(
      ask(`${everything}@id("no") forbid (principal, action == Action::"read", resource in Table::"flights");`),
    );
    expect(Object.keys(grant.tables)).toEqual(['airports']);
  });

  test('a view needs its own permit, and everything that it reads', () => {
    const forbid = (what: string, action = 'read'): string =>
      `${everything}@id("no") forbid (principal, action == Action::"${action}", resource == ${what});`;
    expect(Object.keys(granted(ask(forbid('View::"summary"'))).views)).toEqual(['delays']);
    expect(granted(ask(forbid('View::"delays"'))).views).toEqual({});
    expect(granted(ask(forbid('View::"delays"'))).queries).toEqual([]);
    expect(granted(ask(forbid('Function::"avg"', 'call'))).views).toEqual({});
    expect(granted(ask(forbid('Function::"avg"', 'call'))).functions).toEqual(['lower', 'sum']);
  });

  test('views are found in whatever order they read each other', () => {
    const chain = { c: view({ views: ['b'] }), b: view({ views: ['a'] }), a: view({ tables: { flights: ['delay'] } }) };
    const grant = granted(ask(everything, {}, 'operations', { views: chain, queries: { q: query({ views: ['c'] }) } }));
    expect(Object.keys(grant.views).toSorted()).toEqual(['a', 'b', 'c']);
    expect(grant.queries).toEqual(['q']);
  });

  test('claims decide only by what the credential holds', () => {
    const policy = `${everything}@id("no") forbid (principal, action == Action::"read", resource == Column::"flights.origin") unless { context.claims has state && context.claims.state == "CA" };`;
    expect(columnsOf(granted(ask(policy, { claims: { state: 'CA' } })), 'flights')).toContain('origin');
    expect(columnsOf(granted(ask(policy, { claims: { state: 'NY' } })), 'flights')).not.toContain('origin');
    expect(columnsOf(granted(ask(policy)), 'flights')).not.toContain('origin');
    expect(columnsOf(granted(ask(policy, { claims: { State: 'CA', undeclared: 'CA' } })), 'flights')).not.toContain(
      'origin',
    );
  });
});

describe('exemptions', () => {
  const exempt = (scope: string): Grant =>
    granted(ask(`${everything}@id("lift") permit (principal, action == Action::"exempt", ${scope});`));
  const liftedBy = (grant: Grant): string[] =>
    Object.values(grant.tables).flatMap(({ columns, filters }) =>
      [...filters, ...columns.flatMap(({ masks }) => masks)].flatMap(({ id, exemptedBy }) =>
        exemptedBy.map((by) => `${id} by ${by}`),
      ),
    );

  test('lift the one that is named', () => {
    expect(liftedBy(exempt('resource == RowFilter::"released"'))).toEqual(['released by flights.cedar#lift']);
    expect(liftedBy(exempt('resource == Mask::"quarters"'))).toEqual(['quarters by flights.cedar#lift']);
  });

  test('by tag lift the masks that were declared for the tag', () => {
    expect(new Set(liftedBy(exempt('resource in Tag::"location"')))).toEqual(new Set(['coarse by flights.cedar#lift']));
    // A mask for one tag is not lifted by another tag that its column happens to have.
    expect(liftedBy(exempt('resource in Tag::"exact-place"'))).toEqual([]);
  });

  test('by table lift row filters and no masks', () => {
    expect(liftedBy(exempt('resource in Table::"flights"')).toSorted()).toEqual([
      'own-state by flights.cedar#lift',
      'released by flights.cedar#lift',
    ]);
  });

  test('are taken back by a forbid', () => {
    const grant = granted(
      ask(`${everything}@id("lift") permit (principal, action == Action::"exempt", resource);
@id("not") forbid (principal, action == Action::"exempt", resource == RowFilter::"own-state");`),
    );
    expect(liftedBy(grant)).not.toContain('own-state by flights.cedar#lift');
    expect(liftedBy(grant)).toContain('released by flights.cedar#lift');
  });

  test('masks of one column stand in their declared order', () => {
    const at = [{ table: 'flights', column: 'delay' }];
    const masks = { first: mask(at, null, 2), second: mask(at, null, 1) };
    const grant = granted(ask(everything, {}, 'operations', { masks }));
    expect(grant.tables['flights']?.columns[1]?.masks.map(({ id }) => id)).toEqual(['second', 'first']);
  });
});

describe('a policy that errs', () => {
  // Cedar passes over a policy that errs: this forbid would be as if it were not there.
  const erring = `${everything}@id("errs") forbid (principal, action == Action::"read", resource == Column::"airports.iata")
when { context.claims has level && context.claims.level * 9223372036854775807 > 0 };`;

  test('refuses the session, although it errs on one column only', () => {
    expect(refused(ask(erring, { claims: { level: 2 } })).code).toBe('policy_failed');
    expect(ask(erring, { claims: { level: 0 } }).allowed).toBe(true);
    expect(ask(erring).allowed).toBe(true);
  });

  test('says nothing of what it saw', () => {
    const { message, hint } = refused(ask(erring, { claims: { level: 424_242 } }));
    expect(`${message} ${hint}`).not.toMatch(/424242|iata|overflow/);
  });

  test('refuses when the error is in another purpose than the one asked for, if that decision was needed', () => {
    const opening = `@id("open") permit (principal, action == Action::"open", resource)
when { context.purpose == "operations" || (context.claims has level && context.claims.level * 9223372036854775807 > 0) };`;
    expect(refused(ask(opening, { claims: { level: 2 } }, null)).code).toBe('policy_failed');
  });

  test('is no permission to read evidence', () => {
    const policy = `@id("owners") permit (principal, action == Action::"readEvidence", resource);
@id("errs") forbid (principal, action == Action::"readEvidence", resource) when { context.claims has level && context.claims.level * 9223372036854775807 > 0 };`;
    const compiled = compilePolicies(product(policy));
    expect(mayReadEvidence(compiled, subject(), 'operations').allowed).toBe(true);
    expect(mayReadEvidence(compiled, subject({ claims: { level: 2 } }), 'operations').allowed).toBe(false);
  });
});

describe('a grant', () => {
  test('is digested, and names the boundary that it was cut from', () => {
    const boundary = product(everything);
    const { digest: name, ...rest } = granted(authorize(compilePolicies(boundary), subject(), 'operations'));
    expect(name).toBe(digest(rest));
    expect(rest).toMatchObject({
      product: 'flights',
      version: '1.0.0',
      environment: 'development',
      purpose: 'operations',
    });
    expect(rest.fingerprint).toBe(fingerprint(boundary));
  });

  test('lists the decision on the product first, with the policies that made each', () => {
    const { decisions } = granted(
      ask(`${everything}@id("no") forbid (principal, action == Action::"read", resource == Column::"flights.delay");`),
    );
    expect(decisions[0]).toEqual({
      action: 'open',
      resource: 'Product::"flights"',
      allowed: true,
      determinedBy: ['flights.cedar#everything'],
    });
    expect(decisions).toContainEqual({
      action: 'read',
      resource: 'Column::"flights.delay"',
      allowed: false,
      determinedBy: ['flights.cedar#no'],
    });
    expect(decisions).toContainEqual({
      action: 'exempt',
      resource: 'Mask::"coarse"',
      allowed: false,
      determinedBy: [],
    });
  });

  test('tells policies of two files apart', () => {
    const second = everything.replace('resource)', 'resource in Product::"flights")');
    const boundary = product({ 'a.cedar': everything, 'b.cedar': second });
    const { decisions } = granted(authorize(compilePolicies(boundary), subject(), 'operations'));
    expect(decisions[0]?.determinedBy).toEqual(['a.cedar#everything', 'b.cedar#everything']);
  });

  test('is the same for another subject of whom policies cannot tell it apart, and another for another purpose', () => {
    const compiled = compilePolicies(product(everything));
    const maria = granted(authorize(compiled, subject(), 'operations'));
    expect(granted(authorize(compiled, subject({ principal: 'noor' }), 'operations')).digest).toBe(maria.digest);
    expect(granted(authorize(compiled, subject(), 'research')).digest).not.toBe(maria.digest);
  });

  test('is never that of somebody else who asked before', () => {
    const policy = `${everything}@id("maria") forbid (principal == User::"mobility/maria", action == Action::"read", resource in Table::"airports");
@id("mcp") forbid (principal, action == Action::"read", resource in Table::"flights") when { context.channel == "mcp" };
@id("auditor") permit (principal in Role::"mobility/auditor", action == Action::"exempt", resource);
@id("service") forbid (principal is Service, action == Action::"call", resource == Function::"sum");
@id("state") forbid (principal, action == Action::"call", resource == Function::"lower") when { context.claims has state };`;
    const compiled = compilePolicies(product(policy));
    const askers: Partial<Subject>[] = [
      {},
      { principal: 'noor' },
      { channel: 'mcp' },
      { roles: ['auditor'] },
      { kind: 'service' },
      { claims: { state: 'CA' } },
      { tenant: 'skyline-air' },
    ];
    const alone = askers.map((changes) =>
      shown(granted(authorize(compilePolicies(product(policy)), subject(changes), 'operations'))),
    );
    for (const [index, changes] of [...askers.entries(), ...[...askers.entries()].toReversed()]) {
      expect(shown(granted(authorize(compiled, subject(changes), 'operations')))).toEqual(alone[index]);
    }
  });

  test('of a wide product is had again in microseconds', () => {
    const tables = Object.fromEntries(
      Array.from({ length: 500 }, (_, index) => [`t${index}`, table(column('a'), column('b'))]),
    );
    const compiled = compilePolicies(
      product(everything, { tables, views: {}, queries: {}, masks: {}, rowFilters: {} }),
    );
    const first = granted(authorize(compiled, subject(), 'operations'));
    expect(Object.keys(first.tables)).toHaveLength(500);
    expect(granted(authorize(compiled, subject(), 'operations'))).toBe(first);
  });
});

describe('evidence', () => {
  const owners =
    '@id("owners") permit (principal in Role::"mobility/owner", action == Action::"readEvidence", resource) when { context.purpose == "operations" };';

  test('of others is read by permit alone', () => {
    const compiled = compilePolicies(product(`${everything}${owners}`));
    const owner = subject({ roles: ['owner'] });
    expect(mayReadEvidence(compiled, owner, 'operations')).toEqual({
      action: 'readEvidence',
      resource: 'Product::"flights"',
      allowed: true,
      determinedBy: ['flights.cedar#owners'],
    });
    expect(mayReadEvidence(compiled, owner, 'research').allowed).toBe(false);
    expect(mayReadEvidence(compiled, owner, null).allowed).toBe(true);
    expect(mayReadEvidence(compiled, subject(), null)).toMatchObject({ allowed: false, determinedBy: [] });
    expect(mayReadEvidence(compiled, subject({ roles: ['owner'], tenant: 'skyline-air' }), null).allowed).toBe(false);
  });
});
