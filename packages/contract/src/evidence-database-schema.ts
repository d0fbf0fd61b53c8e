import { Type } from 'typebox';
import { opt, path, strict, text } from './schema-parts.ts';

/** The database that several servers share one log in. It never holds a secret: those are in files. */
export const EvidenceDatabase = Type.Object(
  {
    host: text('Name or address, or the folder of a Unix socket'),
    port: opt(Type.Integer({ minimum: 1, maximum: 65_535, description: 'Default: 5432' })),
    database: text('Name of the database'),
    user: text('Role that the server has there'),
    schema: opt(
      Type.String({
        pattern: '^[a-z_][a-z0-9_]{0,39}$',
        description: 'Schema of the log, one for each log. Default: ambit_evidence',
      }),
    ),
    passwordFile: opt(
      path(
        "File that holds the role's password and nothing else, relative to this file. Default: what PostgreSQL's own clients find, in PGPASSWORD or a password file",
      ),
    ),
    tls: opt(
      Type.Object(
        {
          ca: opt(path('PEM file of the authorities that may vouch for the database. Default: those of the system')),
          certificate: opt(path('PEM file that the server shows of itself')),
          key: opt(path('PEM file of its key')),
        },
        { ...strict, description: 'Always on for another host than loopback, and then the name is checked too' },
      ),
    ),
  },
  {
    ...strict,
    description: 'PostgreSQL, where several servers share one evidence log: the folder of each is a copy of it',
  },
);
