import { Type } from 'typebox';
import { Duration, strict } from './schema-parts.ts';

/** When data is held against contracts. */
export const Drift = Type.Object(
  { every: Duration('How often the data is held against the contracts') },
  { ...strict, description: 'A table whose data is not as declared is closed. Default: every 5m, and at start' },
);
