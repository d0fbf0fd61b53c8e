import type { Draft, Rule } from './product.ts';

// What looks like less, and shows somebody more.

const permit: Rule = { role: null, actions: ['open', 'read', 'call'], resource: null, purposes: null };
const lifting = (resource: string, role: string | null = 'mobility/auditor'): Rule => ({
  role,
  actions: ['exempt'],
  resource,
  purposes: null,
});
const reading = (resource: string): Rule => ({ role: null, actions: ['read'], resource, purposes: null });

const base: Draft = {
  columns: ['a', 'b', 'c'],
  filters: {},
  masks: {},
  views: [],
  functions: ['count'],
  permits: { p0: permit },
  forbids: {},
  purposes: ['operations'],
  anonymous: false,
  tags: [],
};

const draft = (changes: Partial<Draft>): Draft => ({ ...base, ...changes });

/** Each with its name, what was, and what is next. */
export const slips: readonly (readonly [string, Draft, Draft])[] = [
  [
    'a stricter filter that asks for no claim: who lacked it was refused',
    draft({ filters: { f0: 'a < $claims.level' } }),
    draft({ filters: { f0: 'a < 2' } }),
  ],
  [
    'a filter that goes because another implies it, from which somebody is exempted',
    draft({ filters: { f0: 'a < 10', f1: 'a < 5' }, permits: { p0: permit, p1: lifting('RowFilter::"f1"') } }),
    draft({ filters: { f1: 'a < 5' }, permits: { p0: permit, p1: lifting('RowFilter::"f1"') } }),
  ],
  [
    'a mask that names another column',
    draft({ masks: { m1: { column: 'a', with: '0', order: 1 } } }),
    draft({
      masks: { m1: { column: 'a', with: '0', order: 1 }, m2: { column: 'a', with: 'c', order: 2 } },
    }),
  ],
  [
    'a mask before another, which undoes it',
    draft({ masks: { m2: { column: 'a', with: 'value / 20 * 20', order: 5 } } }),
    draft({
      masks: {
        m1: { column: 'a', with: 'value * 20', order: 1 },
        m2: { column: 'a', with: 'value / 20 * 20', order: 5 },
      },
    }),
  ],
  [
    'two masks that change places',
    draft({
      masks: {
        m1: { column: 'a', with: 'value / 20 * 20', order: 1 },
        m2: { column: 'a', with: 'value * 20', order: 2 },
      },
    }),
    draft({
      masks: {
        m1: { column: 'a', with: 'value / 20 * 20', order: 2 },
        m2: { column: 'a', with: 'value * 20', order: 1 },
      },
    }),
  ],
  [
    'a constant before a mask that names another column',
    draft({ masks: { m2: { column: 'a', with: 'CASE WHEN value = 77 THEN c ELSE 0 END', order: 5 } } }),
    draft({
      masks: {
        m1: { column: 'a', with: '77', order: 1 },
        m2: { column: 'a', with: 'CASE WHEN value = 77 THEN c ELSE 0 END', order: 5 },
      },
    }),
  ],
  ['a forbid that goes', draft({ forbids: { n0: reading('Column::"t.a"') } }), draft({})],
  [
    'a forbid that holds for one role only',
    draft({ forbids: { n0: reading('Column::"t.a"') } }),
    draft({ forbids: { n0: { ...reading('Column::"t.a"'), role: 'mobility/operator' } } }),
  ],
  [
    'a tag that goes from a column, while a forbid is on the tag',
    draft({ tags: ['a', 'b'], forbids: { n0: reading('Tag::"secret"') } }),
    draft({ tags: ['b'], forbids: { n0: reading('Tag::"secret"') } }),
  ],
  [
    'a permit for another role',
    draft({ permits: { p0: { ...permit, role: 'mobility/operator' } } }),
    draft({ permits: { p0: { ...permit, role: 'mobility/auditor' } } }),
  ],
  [
    'an exemption for fewer, from more',
    draft({
      filters: { f0: 'a < 5' },
      permits: { p0: permit, p1: lifting('Mask::"m1"', null) },
      masks: { m1: { column: 'b', with: "'x'", order: 1 } },
    }),
    draft({
      filters: { f0: 'a < 5' },
      permits: { p0: permit, p1: lifting('RowFilter::"f0"') },
      masks: { m1: { column: 'b', with: "'x'", order: 1 } },
    }),
  ],
];
