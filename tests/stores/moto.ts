import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

import { pythonEnvironment } from '../../tools/setup/python.mjs';
import { root } from '../server.ts';

// An object store that checks signatures and policies, and what gives keys for roles: moto, from PyPI.

export interface Keys {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
}

/** Account of everything in it. */
export const ACCOUNT = '123456789012';

export interface Moto {
  readonly url: string;
  put(key: string, content: string | Uint8Array): Promise<void>;
  remove(key: string): Promise<void>;
  /** Keys of a user who may do what a policy says. */
  user(name: string, policy: object): Promise<Keys>;
  /** A role that those whose policy lets them may take on. */
  role(name: string, policy: object): Promise<string>;
  /** All that it was asked, a line each. */
  asked(): readonly string[];
  /** From here on it checks who asks. */
  guard(): Promise<void>;
  /** Lets everybody in again, for the next change. */
  open(): Promise<void>;
  close(): void;
}

export const BUCKET = 'goods-of-a-shop';

/** Starts one with an empty bucket, which anybody may change until it is guarded. */
export async function startMoto(): Promise<Moto> {
  const commands = await pythonEnvironment(root, join(root, 'tests/stores/requirements.txt'));
  const child = spawn(join(commands, 'moto_server'), ['--host', '127.0.0.1', '--port', '0'], {
    env: { PATH: process.env['PATH'] ?? '', INITIAL_NO_AUTH_ACTION_COUNT: '1000000', PYTHONUNBUFFERED: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        said.push(line);
        const [, found] = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line) ?? [];
        if (found !== undefined) resolve(found);
      });
    }
    child.once('exit', () => reject(new Error(`moto did not start:\n${said.join('\n')}`)));
  });
  const send = async (
    path: string,
    init: Omit<RequestInit, 'headers'> & { readonly service?: string },
  ): Promise<string> => {
    const signed = `AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/${init.service ?? 's3'}/aws4_request, SignedHeaders=host, Signature=0`;
    const answer = await fetch(`${url}${path}`, { ...init, headers: { authorization: signed } });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`moto answered ${answer.status} to ${path}: ${text}`);
    return text;
  };
  const iam = (action: Record<string, string>): Promise<string> =>
    send('/', { method: 'POST', service: 'iam', body: new URLSearchParams({ ...action, Version: '2010-05-08' }) });
  const text = (policy: object): string => JSON.stringify({ Version: '2012-10-17', ...policy });
  const auth = async (after: number): Promise<void> => {
    await fetch(`${url}/moto-api/reset-auth`, { method: 'POST', body: String(after) });
  };
  await send(`/${BUCKET}`, { method: 'PUT' });
  return {
    url,
    put: async (key, content) => void (await send(`/${BUCKET}/${key}`, { method: 'PUT', body: content as BodyInit })),
    remove: async (key) => void (await send(`/${BUCKET}/${key}`, { method: 'DELETE' })),
    user: async (name, policy) => {
      await iam({ Action: 'CreateUser', UserName: name });
      await iam({ Action: 'PutUserPolicy', UserName: name, PolicyName: 'own', PolicyDocument: text(policy) });
      const made = await iam({ Action: 'CreateAccessKey', UserName: name });
      const of = (tag: string): string => new RegExp(`<${tag}>([^<]+)</${tag}>`).exec(made)?.[1] ?? '';
      return { AccessKeyId: of('AccessKeyId'), SecretAccessKey: of('SecretAccessKey') };
    },
    role: async (name, policy) => {
      const trust = { Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' }] };
      await iam({ Action: 'CreateRole', RoleName: name, AssumeRolePolicyDocument: text(trust) });
      await iam({ Action: 'PutRolePolicy', RoleName: name, PolicyName: 'own', PolicyDocument: text(policy) });
      return `arn:aws:iam::${ACCOUNT}:role/${name}`;
    },
    asked: () => said.filter((line) => line.includes('HTTP/1.1')),
    guard: () => auth(0),
    open: () => auth(1_000_000),
    close: () => void child.kill('SIGKILL'),
  };
}
