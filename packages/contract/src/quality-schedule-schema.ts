import { Type } from 'typebox';
import { Duration, strict } from './schema-parts.ts';

/** When rules of quality are checked. */
export const QualitySchedule = Type.Object(
  { every: Duration('How often the data is held against rules and service levels') },
  { ...strict, description: 'Reads the data, as drift does not. Default: every 1h, and at start' },
);
