import { Type } from 'typebox';
import { strict, text } from './schema-parts.ts';

/** Who is asked to cosign the checkpoints of the evidence log. */
export const Witnesses = Type.Array(
  Type.Object(
    {
      url: text('Where it takes checkpoints: /add-checkpoint is added'),
      key: text('Its verifier key, as name+id+key, of an Ed25519 cosigner'),
    },
    strict,
  ),
  { maxItems: 16, description: 'Who is asked to cosign the checkpoints of the evidence log, after C2SP tlog-witness' },
);
