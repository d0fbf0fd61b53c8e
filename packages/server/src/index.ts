/** HTTP API and authentication. */
export { createKey, listKeys, type NewKey, revokeKey } from './keys.ts';
export { type Problem, type ProblemCode, problems } from './problems.ts';
export { describeApi, InsecureListen, type Server, type ServerOptions, startServer } from './server.ts';
export { TlsInvalid } from './transport.ts';
