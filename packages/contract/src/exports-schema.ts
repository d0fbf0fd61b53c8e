import { Type } from 'typebox';
import { oneOf, opt, path, strict } from './schema-parts.ts';

const Headers = Type.Record(
  Type.String({ pattern: '^[A-Za-z][A-Za-z0-9-]{0,63}$' }),
  Type.Object({ file: path('File that holds the value, relative to this one') }, strict),
  {
    description: 'Headers by name. Their values are in files: an environment holds no secret',
    additionalProperties: false,
  },
);
const Url = (description: string) => Type.String({ description, minLength: 1, maxLength: 4_000 });

/** What an environment exports. */
export const Exports = Type.Object(
  {
    folder: opt(path('Folder that says what was delivered, relative to this file')),
    openlineage: opt(
      Type.Object(
        {
          url: opt(Url('Where events are posted')),
          headers: opt(Headers),
          file: opt(path('Instead: file that events are added to, one a line, relative to this one')),
        },
        { ...strict, description: 'Run events of sessions, each delivered at least once, to a `url` or a `file`' },
      ),
    ),
    otlp: opt(
      Type.Object(
        { url: Url('Receiver; /v1/traces, /v1/metrics and /v1/logs are added'), headers: opt(Headers) },
        { ...strict, description: 'Traces, metrics and logs over OTLP/HTTP in JSON' },
      ),
    ),
    prometheus: opt(
      Type.Object(
        {
          host: opt(oneOf(['127.0.0.1', '::1', 'localhost'] as const, { description: 'Address of this machine' })),
          port: Type.Integer({ minimum: 0, maximum: 65_535, description: 'TCP port; 0 for a free one' }),
        },
        { ...strict, description: 'GET /metrics on a listener of its own, for operators on this machine' },
      ),
    ),
  },
  { ...strict, description: 'What other systems are told of sessions' },
);
