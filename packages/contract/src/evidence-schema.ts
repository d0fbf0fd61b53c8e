import { Type } from 'typebox';
import { oneOf, opt, strict } from './schema-parts.ts';

/** What a contract says of the evidence of its sessions. */
export const Evidence = Type.Object(
  {
    literals: opt(
      oneOf(['kept', 'sealed'] as const, {
        description:
          'What the evidence holds of values in statements: sealed, they are encrypted under a key that can be destroyed. Default: kept',
      }),
    ),
  },
  { ...strict, description: 'What of a session is kept, and how' },
);

export const SealPeriod = oneOf(['day', 'month', 'year'] as const, {
  description: 'For how long one key seals, in UTC: what can be destroyed at once. Default: month',
});
