import { Type } from 'typebox';
import { Duration, NAME, map, opt, path, strict, text } from './schema-parts.ts';

// Where bytes are, and what they are asked for with.

const S3_URL = '^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$';

const url = Type.String({
  pattern: S3_URL,
  maxLength: 1_000,
  description: 'A bucket that is asked by the S3 protocol, or what lies beneath a prefix in it: s3://bucket/prefix/',
});
const endpoint = Type.String({
  pattern: '^https?://[^/@?#]+/?$',
  maxLength: 300,
  description: 'Its server: https://objects.example.com. Default: that of AWS in the region',
});
const region = Type.String({ pattern: '^[a-z0-9-]{1,63}$', description: 'Its region. Default: us-east-1' });

const bucket = { url: opt(url), endpoint: opt(endpoint), region: opt(region) };

/** A store as a contract has it. */
export const Store = Type.Object(
  {
    root: opt(text('Folder, relative to this file. An environment may bind another place')),
    ...bucket,
    credential: opt(
      Type.String({
        pattern: NAME,
        description: 'Reference of a credential that the environment binds. Without one, requests are not signed',
      }),
    ),
  },
  strict,
);

/** A store as an environment binds it: the whole place, whatever the contract says. */
export const StoreBinding = Type.Object(
  {
    root: opt(path('Folder, relative to this file')),
    ...bucket,
    certificates: opt(
      path('PEM file of the certificates that vouch for the server, and no others. Default: those the machine trusts'),
    ),
    credential: opt(Type.String({ pattern: NAME, description: 'Another reference than that of the contract' })),
  },
  strict,
);

/** What references of credentials stand for. */
export const Credentials = map(
  NAME,
  Type.Object(
    {
      keys: path(
        'JSON file of AccessKeyId, SecretAccessKey and, of keys for a time, SessionToken and Expiration; read again when it changes',
      ),
      role: opt(
        Type.Object(
          {
            arn: Type.String({ pattern: '^arn:[^\\s]{10,2000}$', description: 'ARN of the role' }),
            externalId: opt(text('What its trust policy asks for')),
            endpoint: opt(endpoint),
            region: opt(region),
            duration: opt(Duration('How long its keys live, 15m to 12h. Default: 15m')),
          },
          {
            ...strict,
            description:
              "A role that the keys take on: a session's own keys for a time, for no more than the files of its tables",
          },
        ),
      ),
    },
    strict,
  ),
  'Credentials of stores by reference',
);
