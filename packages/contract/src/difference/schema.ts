import { Type } from 'typebox';
import { oneOf, strict } from '../schema-parts.ts';

const nullable = (description: string) => Type.Union([Type.String(), Type.Null()], { description });
const effects = ['widens', 'narrows', 'changes'] as const;

const Side = Type.Object(
  {
    fingerprint: Type.String({ pattern: '^sha256:[0-9a-f]{64}$', description: 'Of the boundary' }),
    version: Type.String({ description: 'Of the product' }),
    environment: Type.String({ description: 'Name of the environment' }),
  },
  strict,
);

const Line = Type.Object(
  {
    path: Type.String({ description: 'Where in the boundary, as a JSON pointer' }),
    subject: Type.String({ description: "What it is, in an owner's words" }),
    before: nullable('What it was; null: it was not there'),
    after: nullable('What it is; null: it is not there'),
    effect: oneOf(effects, { description: 'What it does; what nobody can tell widens' }),
    reason: Type.String({ description: 'Why it has this effect' }),
  },
  strict,
);

/** The schema of a `Difference`. */
export const DifferenceSchema = Type.Object(
  {
    format: Type.Literal('ambit/difference/v1', { description: 'Version of this format' }),
    product: Type.String({ description: 'Name of the product' }),
    before: Type.Union([Side, Type.Null()], { description: 'Null: compared with nothing' }),
    after: Side,
    effect: oneOf([...effects, 'same'], { description: 'widens where any line does, else changes where any does' }),
    lines: Type.Array(Line, { description: 'Those that widen first, then by path' }),
  },
  { ...strict, title: 'Ambit difference', description: 'What differs between two boundaries' },
);
