import { Type } from 'typebox';
import { map, NAME, oneOf, opt, strict, text } from './schema-parts.ts';

// Who answers for a product and approves what it is, and who may open it without them.

const Keys = (description: string) =>
  map(NAME, text('Public keys: `ssh-ed25519 AAAA... you@example.org`'), description);
const People = (description: string, minimum: number) => Type.Integer({ minimum, maximum: 20, description });

export const Owner = Type.Object(
  {
    team: text('Who answers for it'),
    reviewers: opt(Keys('Who may approve changes, by name: public keys, one a line, each with their e-mail address')),
    agents: opt(Keys('Agents that sign, by name: their reviews never count')),
    approvals: opt(
      Type.Object(
        {
          widens: opt(People('People who approve what lets somebody see or do more. Default: 2', 2)),
          narrows: opt(People('People who approve what lets nobody see more. Default: 1', 1)),
          changes: opt(People('People who approve what does neither. Default: 1', 1)),
          tests: opt(oneOf(['required'] as const, { description: 'Reviews carry that the policy tests passed' })),
        },
        { ...strict, description: 'What an approval takes, where that is more than usual' },
      ),
    ),
  },
  { ...strict, description: 'Who answers for the product' },
);

export const BreakGlass = Type.Object(
  {
    operators: Keys('Who may open a boundary that is not approved, by name: public keys, one a line'),
    maxHours: opt(Type.Integer({ minimum: 1, maximum: 72, description: 'For how long at most. Default: 4' })),
  },
  { ...strict, description: 'Opening a boundary that no owner approved, for a bounded time. Default: nobody may' },
);
