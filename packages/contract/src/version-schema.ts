import { Type } from 'typebox';
import { opt, strict, text } from './schema-parts.ts';

const NUMBER = '(0|[1-9][0-9]{0,8})';
const WORD = '(0|[1-9][0-9]{0,8}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)';
const PATTERN = `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(-${WORD}(\\.${WORD})*)?$`;

/** A semantic version, of a release or before one. Builds of one version are one version. */
export const Version = (description: string) => Type.String({ pattern: PATTERN, maxLength: 64, description });

const Day = (description: string) =>
  Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$', description: `${description}: a date, as 2027-06-30` });

/** How a version comes to its end. */
export const Deprecation = Type.Object(
  {
    since: Day('From when on nobody should begin to use it'),
    sunset: opt(Day('From when on it is refused')),
    successor: opt(Version('The version to use instead')),
    notice: opt(text('What its consumers should know')),
  },
  { ...strict, description: 'That the version comes to its end, and what comes after it' },
);
