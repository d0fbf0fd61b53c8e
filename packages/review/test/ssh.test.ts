import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyBytes, keyId, openKey, readKeys, sshString } from '@ambit/contract';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  BREAK_GLASS_NAMESPACE,
  pemSigner,
  readEnvelope,
  REVIEW_NAMESPACE,
  type ReviewStatement,
  type Signed,
  signedStatement,
  signStatement,
  sshSigned,
  sshSigner,
  unarmoured,
} from '../src/index.ts';
import { approval, archive, boundary, judged, listed, person, reviewOf } from './support.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

// These need `ssh-keygen`: where there is none they fail, and say so.

const folder = mkdtempSync(join(tmpdir(), 'ambit-ssh-'));
afterAll(() => rmSync(folder, { recursive: true }));

const KEYS = [
  ['ed25519', []],
  ['ecdsa', ['-b', '256']],
  ['ecdsa', ['-b', '384']],
  ['ecdsa', ['-b', '521']],
  ['rsa', ['-b', '3072']],
] as const;
const fileOf = (type: string, more: readonly string[]): string => join(folder, [type, ...more].join('_'));

beforeAll(() => {
  for (const [type, more] of KEYS) {
    execFileSync('ssh-keygen', [
      '-q',
      '-t',
      type,
      ...more,
      '-N',
      '',
      '-C',
      'ann@example.org',
      '-f',
      fileOf(type, more),
    ]);
  }
});

const MESSAGE = Buffer.from('approved');

function made(file: string, namespace = REVIEW_NAMESPACE, options: readonly string[] = []): Buffer {
  const words = ['-Y', 'sign', '-q', '-f', file, '-n', namespace, ...options];
  const armoured = execFileSync('ssh-keygen', words, { input: MESSAGE, stdio: ['pipe', 'pipe', 'ignore'] });
  return unarmoured(String(armoured)) as Buffer;
}

const keyOf = (file: string): string => readKeys(readFileSync(`${file}.pub`, 'utf8')).keys[0] ?? '';

describe.each(KEYS)('a signature that ssh-keygen made with %s %j', (type, more) => {
  it('holds for its key, its message and its namespace alone', () => {
    const file = fileOf(type, more);
    const key = keyOf(file);
    const signature = made(file);
    expect(sshSigned(key, REVIEW_NAMESPACE, MESSAGE, signature)).toBe(true);
    expect(sshSigned(key, REVIEW_NAMESPACE, MESSAGE, made(file, REVIEW_NAMESPACE, ['-O', 'hashalg=sha256']))).toBe(
      true,
    );
    expect(sshSigned(key, REVIEW_NAMESPACE, Buffer.from('approvee'), signature)).toBe(false);
    expect(sshSigned(key, REVIEW_NAMESPACE, MESSAGE, made(file, 'git'))).toBe(false);
    expect(sshSigned(key, BREAK_GLASS_NAMESPACE, MESSAGE, signature)).toBe(false);
    for (const [otherType, otherMore] of KEYS) {
      const other = fileOf(otherType, otherMore);
      if (other !== file) expect(sshSigned(keyOf(other), REVIEW_NAMESPACE, MESSAGE, signature)).toBe(false);
    }
  });

  it('does not hold with any byte another, nor with one more', () => {
    const file = fileOf(type, more);
    const key = keyOf(file);
    const signature = made(file);
    for (let at = 0; at < signature.length; at += 1) {
      const changed = Buffer.from(signature);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(sshSigned(key, REVIEW_NAMESPACE, MESSAGE, changed)).toBe(false);
    }
    expect(sshSigned(key, REVIEW_NAMESPACE, MESSAGE, Buffer.concat([signature, Buffer.of(0)]))).toBe(false);
  });

  it('names the key as ssh-keygen does', () => {
    const file = fileOf(type, more);
    expect(String(execFileSync('ssh-keygen', ['-l', '-f', `${file}.pub`]))).toContain(` ${keyId(keyOf(file))} `);
  });
});

describe('a review', () => {
  it('is signed with an SSH key, a key of an agent, and a PEM key; each is a person', async () => {
    const pem = join(folder, 'bo.pem');
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(pem, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
    const ssh = fileOf('ed25519', []);
    const held = fileOf('ecdsa', ['-b', '256']);
    const agent = await agentWith(held);
    try {
      const signers = { ann: await sshSigner(ssh), bo: await pemSigner(pem), cy: await sshSigner(agent.publicFile) };
      const texts = Object.entries(signers).map(([name, { key }]) => listed(name, key));
      expect(readKeys(String(publicKey.export({ format: 'pem', type: 'spki' }))).keys).toEqual([signers.bo.key]);
      const shop = boundary({ reviewers: texts, approvals: { widens: 3 } });
      const reviews = await Promise.all(
        Object.entries(signers).map(async ([name, signer]) => {
          const by = { name, signer, listed: listed(name, signer.key) };
          const text = await signStatement(reviewOf(by, null, shop), signer, REVIEW_NAMESPACE);
          const envelope = readEnvelope(text);
          return signedStatement(name, envelope as NonNullable<typeof envelope>) as Signed<ReviewStatement>;
        }),
      );
      const verdict = await judged(archive([shop], reviews), shop);
      expect(verdict).toMatchObject({ covered: true, needed: 3, refusals: [] });
    } finally {
      agent.stop();
    }
  });

  it('signed in the namespace of something else is none', async () => {
    const signer = await sshSigner(fileOf('ed25519', []));
    const [ann, bo] = [{ name: 'ann', signer, listed: listed('ann', signer.key) }, person('bo')];
    const shop = boundary({ reviewers: [ann.listed, bo.listed] });
    const text = await signStatement(reviewOf(ann, null, shop), signer, BREAK_GLASS_NAMESPACE);
    const envelope = readEnvelope(text) as NonNullable<ReturnType<typeof readEnvelope>>;
    const reviews = [signedStatement('a', envelope) as Signed<ReviewStatement>, await approval(bo, null, shop)];
    const verdict = await judged(archive([shop], reviews), shop);
    expect(verdict.refusals.map(({ code }) => code)).toEqual(['signature_invalid', 'too_few']);
  });

  it('a key that nobody can use signs nothing, and says why without the key', async () => {
    const locked = join(folder, 'none');
    await expect(sshSigner(locked)).rejects.toThrow(/ssh-keygen: .*No such file/);
    writeFileSync(locked, 'secret words', { mode: 0o600 });
    await expect(pemSigner(locked)).rejects.toThrow('holds no Ed25519 private key');
    await expect(pemSigner(fileOf('ed25519', []))).rejects.toThrow('name it with --ssh');
  });
});

// No hardware is at hand: its signatures are made as PROTOCOL.u2f says.
describe('a hardware key', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const type = 'sk-ssh-ed25519@openssh.com';
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const blob = Buffer.concat([sshString(type), sshString(raw), sshString('ssh:')]);
  const key = `${type} ${blob.toString('base64')}`;
  const sha = (algorithm: string, bytes: string | Buffer): Buffer => createHash(algorithm).update(bytes).digest();

  function touched(flags: number): Buffer {
    const signed = Buffer.concat([
      Buffer.from('SSHSIG'),
      ...[REVIEW_NAMESPACE, '', 'sha512'].map(sshString),
      sshString(sha('sha512', MESSAGE)),
    ]);
    const hardware = Buffer.of(flags, 0, 0, 0, 7);
    const message = Buffer.concat([sha('sha256', 'ssh:'), hardware, sha('sha256', signed)]);
    const inner = Buffer.concat([sshString(type), sshString(sign(null, message, privateKey)), hardware]);
    return Buffer.concat([
      Buffer.from('SSHSIG\0\0\0\u0001', 'latin1'),
      sshString(blob),
      ...[REVIEW_NAMESPACE, '', 'sha512'].map(sshString),
      sshString(inner),
    ]);
  }

  it('signs where somebody touched it', () => {
    expect(openKey(key)).toMatchObject({ type, application: 'ssh:' });
    expect(keyBytes(key)).toEqual(blob);
    expect(sshSigned(key, REVIEW_NAMESPACE, MESSAGE, touched(1))).toBe(true);
    expect(sshSigned(key, REVIEW_NAMESPACE, MESSAGE, touched(0))).toBe(false);
    const counted = touched(1);
    counted[counted.length - 1] = 8;
    expect(sshSigned(key, REVIEW_NAMESPACE, MESSAGE, counted)).toBe(false);
  });
});

/** An agent that alone has the private key of a file. */
async function agentWith(file: string): Promise<{ publicFile: string; stop: () => void }> {
  const socket = join(folder, 'agent');
  const agent: ChildProcess = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise((ready, fail) => {
    agent.once('error', fail);
    agent.stdout?.once('data', ready);
  });
  process.env['SSH_AUTH_SOCK'] = socket;
  execFileSync('ssh-add', ['-q', file], { stdio: 'ignore' });
  const publicFile = join(folder, 'held-by-agent.pub');
  writeFileSync(publicFile, readFileSync(`${file}.pub`));
  return {
    publicFile,
    stop: () => {
      delete process.env['SSH_AUTH_SOCK'];
      agent.kill();
    },
  };
}
