import { describe, expect, test } from 'vitest';
import type { Problem } from '@ambit/contract';
import { compilePolicies, PolicyInvalid, validatePolicies } from '../src/index.ts';
import { everything, product } from './product.ts';

const problems = (policies: string): readonly Problem[] => validatePolicies(product(policies));
const only = (policies: string): Problem => {
  const [first] = problems(policies);
  if (first === undefined) throw new Error('no problem was found');
  return first;
};

const open = (rest = ''): string => `@id("a") permit (principal, action == Action::"open", resource)${rest};`;

describe('policies are refused when loaded', () => {
  test('valid ones are not', () => {
    expect(problems(everything)).toEqual([]);
    expect(problems('')).toEqual([]);
    expect(problems('// nothing but a comment; really\n')).toEqual([]);
    expect(
      problems(
        open(' when { context.purpose == "operations" && context.claims has state && context.claims.state like "C*" }'),
      ),
    ).toEqual([]);
  });

  test('with every problem at once, as an error that holds them', () => {
    const two = `${open(' when { context.purpos == "x" }')}\n${open(' when { context.channl == "x" }').replace('"a"', '"b"')}`;
    expect(
      problems(two)
        .map(({ line }) => line)
        .toSorted((a, b) => a - b),
    ).toEqual([1, 2]);
    expect(() => compilePolicies(product(two))).toThrow(PolicyInvalid);
    expect(() => compilePolicies(product(two))).toThrow(expect.objectContaining({ problems: problems(two) }));
  });

  test('with the place of a syntax error', () => {
    expect(only('// a comment\npermit (principal action, resource);')).toMatchObject({
      file: 'flights.cedar',
      line: 2,
      column: 19,
    });
    expect(only('permit (principal, action, resource)')).toMatchObject({ line: 1, column: 37 });
  });

  test('in the file that has it', () => {
    const found = validatePolicies(product({ 'good.cedar': everything, 'bad.cedar': 'permit (' }));
    expect(found.map(({ file }) => file)).toEqual(['bad.cedar']);
  });

  test('with the place of a word', () => {
    expect(only('@id("a") permit (principal, action == Action::"opn", resource);')).toMatchObject({
      line: 1,
      column: 39,
    });
    expect(only(open(' when { context.purpos == "operations" }'))).toMatchObject({
      column: open(' when { context.purpos').indexOf('context.purpos') + 1,
    });
    expect(only(open(' when { context.claims has state && context.claims.stat == "CA" }')).hint).toContain('state');
  });

  test('with what was probably meant', () => {
    expect(only('@id("a") permit (principal, action == Action::"opn", resource);').hint).toContain('open');
    expect(only(open(' when { context.purpos == "operations" }')).hint).toContain('purpose');
  });

  test('without an id, or with one that another policy of the file has', () => {
    expect(only('permit (principal, action == Action::"open", resource);').message).toContain('no id');
    expect(only('@id permit (principal, action == Action::"open", resource);').message).toContain('no id');
    expect(only('@name("a") permit (principal, action == Action::"open", resource);').message).toContain('no id');
    const twice = `${open()}\n${open()}`;
    expect(only(twice)).toMatchObject({ line: 2, column: 1 });
    expect(only(twice).message).toContain('`a`');
    expect(validatePolicies(product({ 'a.cedar': open(), 'b.cedar': open() }))).toEqual([]);
  });

  test('as a template', () => {
    expect(only('@id("a") permit (principal == ?principal, action == Action::"open", resource);').message).toContain(
      'template',
    );
  });
});

describe('a permit that covers `exempt` names it', () => {
  const permit = (action: string, rest = ''): readonly Problem[] =>
    problems(`@id("a") permit (principal, ${action}, resource)${rest};`);

  test('an open action is refused, however it is narrowed elsewhere', () => {
    for (const rest of ['', ' when { action == Action::"read" }', ' unless { action == Action::"exempt" }']) {
      expect(
        permit('action', rest)
          .map(({ message }) => message)
          .join(),
      ).toContain('exempt');
    }
  });

  test('a named action is not', () => {
    for (const action of [
      'action == Action::"exempt"',
      'action in Action::"exempt"',
      'action in [Action::"read", Action::"exempt"]',
      'action in [Action::"open", Action::"read", Action::"call", Action::"explain"]',
    ]) {
      expect(permit(action)).toEqual([]);
    }
  });

  test('a forbid may leave the action open', () => {
    expect(problems('@id("a") forbid (principal, action, resource);')).toEqual([]);
  });
});

describe('what the product does not have cannot be named', () => {
  const scoped = (action: string, entity: string): Problem =>
    only(`@id("a") forbid (principal, action == Action::"${action}", resource == ${entity});`);

  test.each([
    ['open', 'Product::"flihgts"', 'flights'],
    ['read', 'Table::"flihts"', 'flights'],
    ['read', 'Column::"flights.dely"', 'flights.delay'],
    ['read', 'View::"delay"', 'delays'],
    ['call', 'Function::"lowr"', 'lower'],
    ['exempt', 'RowFilter::"own-stat"', 'own-state'],
    ['exempt', 'Mask::"coarse-"', 'coarse'],
  ])('%s %s', (action, entity, nearest) => {
    const { message, hint } = scoped(action, entity);
    expect(message).toContain(entity.split('"')[1]);
    expect(hint).toContain(nearest);
  });

  test('in conditions, sets and tags as well', () => {
    const forbid = (condition: string): string =>
      `@id("a") forbid (principal, action == Action::"read", resource) when { ${condition} };`;
    expect(only(forbid('resource in Tag::"locaton"')).hint).toContain('location');
    expect(only(forbid('resource in [Table::"flights", Table::"airprots"]')).hint).toContain('airports');
    expect(only(forbid('resource is Column in Table::"flihts"')).hint).toContain('flights');
    expect(only(forbid('context.purpose == "research" && !(resource == Column::"flights.orign")')).hint).toContain(
      'flights.origin',
    );
    expect(problems(forbid('resource in [Tag::"location", Tag::"exact-time"]'))).toEqual([]);
  });

  test('principals and roles are free: they come from outside', () => {
    expect(
      problems('@id("a") permit (principal in Role::"skyline-air/whoever", action == Action::"open", resource);'),
    ).toEqual([]);
    expect(
      problems('@id("a") permit (principal == Service::"mobility/new", action == Action::"open", resource);'),
    ).toEqual([]);
  });
});

describe('the schema', () => {
  test('a claim must be declared, and asked for before it is used', () => {
    expect(only(open(' when { context.claims.state == "CA" }')).hint).toContain('has state');
    expect(only(open(' when { context.claims has badge && context.claims.badge == "x" }')).line).toBe(1);
    expect(only(open(' when { context.claims has level && context.claims.level == "3" }')).message).toContain('Long');
    expect(problems(open(' when { context.claims has level && context.claims.level > 2 }'))).toEqual([]);
  });

  test('an action is asked about its own kinds of things only', () => {
    for (const scope of ['resource == Table::"flights"', 'resource == Mask::"coarse"', 'resource in Tag::"location"']) {
      expect(problems(`@id("a") permit (principal, action == Action::"open", ${scope});`)).not.toEqual([]);
    }
    expect(
      problems('@id("a") forbid (principal, action == Action::"exempt", resource == Table::"flights");'),
    ).not.toEqual([]);
  });

  test('a policy that can never apply is refused', () => {
    expect(problems(open(' when { false }'))).not.toEqual([]);
    expect(problems('@id("a") permit (principal is Agent, action == Action::"review", resource);')).not.toEqual([]);
  });
});
