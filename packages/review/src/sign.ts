import { spawn } from 'node:child_process';
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { keyText, readKeys } from '@ambit/contract';
import { envelopeText, payloadOf, signedBytes } from './envelope.ts';
import { unarmoured } from './sshsig.ts';
import type { Statement } from './statement.ts';

/** A private key that signs, wherever it is kept. */
export interface SigningKey {
  /** Its public key, as `TYPE BASE64`. */
  readonly key: string;
  /** Signs a message; SSH keys within a namespace. Throws `SigningFailed`. */
  sign(message: Buffer, namespace: string): Promise<Buffer>;
}

/** There is no signature. The message tells why, and never anything of a private key. */
export class SigningFailed extends Error {
  override readonly name = 'SigningFailed';
}

/** The key of a PEM file: Ed25519. Throws `SigningFailed`. */
export async function pemSigner(file: string): Promise<SigningKey> {
  const pem = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new SigningFailed(`cannot read \`${file}\`: ${error.code}`);
  });
  if (pem.includes('OPENSSH PRIVATE KEY')) throw new SigningFailed(`\`${file}\` is a key of SSH: name it with --ssh`);
  let key: ReturnType<typeof createPrivateKey> | null = null;
  try {
    key = createPrivateKey(pem);
  } catch {
    // Told below: what a parser says of a key may quote it.
  }
  const text = key?.asymmetricKeyType === 'ed25519' ? keyText(createPublicKey(key)) : null;
  if (key === null || text === null) throw new SigningFailed(`\`${file}\` holds no Ed25519 private key`);
  const own = key;
  return { key: text, sign: async (message) => sign(null, message, own) };
}

/**
 * The key of an SSH key file; with the public file alone, `ssh-keygen` asks the agent, and with a hardware key whoever touches
 * it. Throws `SigningFailed`.
 */
export async function sshSigner(file: string): Promise<SigningKey> {
  const named = await publicLine(file);
  const [key] = readKeys(named).keys;
  if (key === undefined) throw new SigningFailed(`\`${file}\` is no SSH key that can sign here`);
  return {
    key,
    async sign(message, namespace) {
      const armoured = await keygen(['-Y', 'sign', '-q', '-f', file, '-n', namespace], message);
      const signature = unarmoured(armoured.replaceAll('\r\n', '\n'));
      if (signature === null) throw new SigningFailed('ssh-keygen gave no signature');
      return signature;
    },
  };
}

async function publicLine(file: string): Promise<string> {
  for (const candidate of [`${file}.pub`, file]) {
    const text = await readFile(candidate, 'utf8').catch(() => null);
    if (text !== null && /^(?:ssh|ecdsa|sk)-/.test(text)) return text.split('\n')[0] ?? '';
  }
  return keygen(['-y', '-f', file], Buffer.alloc(0));
}

/** Runs `ssh-keygen`. It asks for passphrases on the terminal itself. */
function keygen(words: readonly string[], input: Buffer): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn('ssh-keygen', words, { stdio: ['pipe', 'pipe', 'pipe'] });
    const said = { out: '', err: '' };
    child.stdout.on('data', (chunk: Buffer) => void (said.out += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => void (said.err += chunk.toString('utf8')));
    child.on('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT' ? 'there is no `ssh-keygen`: install OpenSSH' : error.message;
      fail(new SigningFailed(missing));
    });
    child.on('close', (code) => {
      if (code === 0) done(said.out);
      else fail(new SigningFailed(`ssh-keygen: ${said.err.trim().split('\n').at(-1) ?? `ended with ${code}`}`));
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** Signs a statement: the text of its file. */
export async function signStatement(statement: Statement, signer: SigningKey, namespace: string): Promise<string> {
  const payload = payloadOf(statement);
  return envelopeText(payload, signer.key, await signer.sign(signedBytes(payload), namespace));
}
