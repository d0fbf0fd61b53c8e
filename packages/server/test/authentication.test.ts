import { execFile } from 'node:child_process';
import { generateKeyPairSync, createHmac, type KeyObject } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createKey, KeyRing, listKeys, type NewKey, revokeKey } from '../src/keys.ts';
import { type Issuer, TokenVerifier } from '../src/tokens.ts';

const key: NewKey = {
  tenant: 'north',
  principal: 'ada',
  kind: 'user',
  roles: ['b', 'a'],
  claims: { region: 'west' },
  onBehalfOf: null,
  expires: null,
};

async function keyFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ambit-keys-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'private', 'keys.json');
}

describe('an API key', () => {
  it('is its subject, and is kept as a hash that only its owner reads', async () => {
    const file = await keyFile();
    const { id, token } = await createKey(file, key);
    const subject = await new KeyRing(file).subject(token);
    expect(subject).toMatchObject({ tenant: 'north', principal: 'ada', kind: 'user', roles: ['a', 'b'] });
    expect(subject).toMatchObject({ channel: 'http', authentication: { method: 'api-key', reference: id } });
    const secret = token.split('_').slice(2).join('_');
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
    expect(await readFile(file, 'utf8')).not.toContain(secret);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('keeps its file closed when it is rewritten', async () => {
    const file = await keyFile();
    await createKey(file, key);
    await chmod(file, 0o644);
    await createKey(file, key);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('with one character changed is none', async () => {
    const file = await keyFile();
    const { token } = await createKey(file, key);
    const ring = new KeyRing(file);
    for (let at = 0; at < token.length; at += 1) {
      const other = token[at] === 'A' ? 'B' : 'A';
      // The last character of the secret carries two bits that are not of its 32 bytes.
      expect(await ring.subject(token.slice(0, at) + other + token.slice(at + 1))).toBeNull();
    }
    expect(await ring.subject(token)).not.toBeNull();
    for (const wrong of ['', 'ambit_', `${token}A`, token.slice(0, -1), ` ${token}`]) {
      expect(await ring.subject(wrong)).toBeNull();
    }
  });

  it('ends when it expires or is revoked, without a restart', async () => {
    const file = await keyFile();
    const ring = new KeyRing(file);
    const expired = await createKey(file, { ...key, expires: new Date(Date.now() - 1).toISOString() });
    const valid = await createKey(file, { ...key, expires: new Date(Date.now() + 60_000).toISOString() });
    expect(await ring.subject(expired.token)).toBeNull();
    expect(await ring.subject(valid.token)).not.toBeNull();
    expect(await revokeKey(file, valid.id)).toBe(true);
    expect(await ring.subject(valid.token)).toBeNull();
    expect(await revokeKey(file, valid.id)).toBe(false);
  });

  it('whose end cannot be read has ended', async () => {
    const file = await keyFile();
    const { token } = await createKey(file, { ...key, expires: 'next year' }).catch(() => ({ token: '' }));
    expect(await new KeyRing(file).subject(token)).toBeNull();
  });

  it('is not lost when several processes make them at once', async () => {
    const file = await keyFile();
    const command = fileURLToPath(new URL('../../cli/bin/ambit.js', import.meta.url));
    const words = ['key', 'create', '--tenant', 'north', '--principal', 'ada', '--keys', file];
    const made = await Promise.all(
      Array.from({ length: 6 }, () => promisify(execFile)(process.execPath, [command, ...words])),
    );
    const ids = made.map(({ stdout }) => stdout.split('_')[1]);
    expect(new Set((await listKeys(file)).map(({ id }) => id))).toEqual(new Set(ids));
  });

  it('can be made though somebody died while making one', async () => {
    const file = await keyFile();
    await createKey(file, key);
    await writeFile(`${file}.new`, '{"keys": [');
    await createKey(file, key);
    expect(await listKeys(file)).toHaveLength(2);
  }, 15_000);

  it('is not lost when several are made and revoked at once', async () => {
    const file = await keyFile();
    const { id } = await createKey(file, key);
    const made = await Promise.all([
      ...Array.from({ length: 4 }, () => createKey(file, key).then((created) => created.id)),
      revokeKey(file, id).then(() => null),
    ]);
    const ids = (await listKeys(file)).map((record) => record.id);
    expect(ids.toSorted()).toEqual(made.filter((one) => one !== null).toSorted());
  });

  it('of a file that is broken lets nobody in', async () => {
    const file = await keyFile();
    const { token } = await createKey(file, key);
    await writeFile(file, '{"keys": [');
    await expect(new KeyRing(file).subject(token)).rejects.toThrow();
  });
});

describe('a JWT', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer: Omit<Issuer, 'jwks'> = {
    issuer: 'https://id.example',
    audience: 'ambit',
    algorithms: ['ES256'],
    tenant: 'north',
    claims: { region: 'area' },
  };
  const good: JWTPayload = { sub: 'ada', roles: ['analyst'], area: 'west', jti: 't1' };
  let folder: string;
  let jwks: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ambit-jwks-'));
    jwks = join(folder, 'jwks.json');
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
    await writeFile(jwks, JSON.stringify({ keys: [jwk] }));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const sign = (
    payload: JWTPayload,
    {
      by = pair.privateKey,
      expires = '5m',
      aud = 'ambit',
      iss = 'https://id.example',
      header = {},
    }: Partial<Signing> = {},
  ): Promise<string> => {
    const protectedHeader = { alg: 'ES256', kid: 'k1', ...header };
    const token = new SignJWT(payload).setProtectedHeader(protectedHeader).setIssuer(iss).setAudience(aud);
    return (expires === null ? token : token.setExpirationTime(expires)).sign(by);
  };
  interface Signing {
    readonly by: KeyObject;
    readonly expires: string | null;
    readonly aud: string;
    readonly iss: string;
    readonly header: { readonly typ?: string; readonly kid?: string; readonly crit?: string[] };
  }
  const subject = async (token: string, change: Partial<Issuer> = {}) =>
    (await TokenVerifier.create([{ ...issuer, jwks, ...change }])).subject(token);

  it('is its subject, with the tenant that the environment gives its issuer', async () => {
    expect(await subject(await sign({ ...good, tenant: 'south', area: 'west', other: 1 }))).toEqual({
      tenant: 'north',
      principal: 'ada',
      kind: 'user',
      roles: ['analyst'],
      claims: { region: 'west' },
      channel: 'http',
      onBehalfOf: null,
      authentication: { method: 'jwt', reference: 'https://id.example t1' },
    });
  });

  it.each<[string, Partial<Signing>]>([
    ['of a stranger', { by: stranger.privateKey }],
    ['for another audience', { aud: 'other' }],
    ['of another issuer', { iss: 'https://evil.example' }],
    ['that has expired', { expires: '-1m' }],
    ['that never expires', { expires: null }],
  ])('%s is none', async (_, signing) => {
    expect(await subject(await sign(good, signing))).toBeNull();
  });

  it.each<[string, JWTPayload, Partial<Signing>]>([
    ['that is not valid yet', { nbf: Math.floor(Date.now() / 1000) + 3_600 }, {}],
    ['of a key that nobody knows', {}, { header: { kid: 'k9' } }],
    ['of another use: a logout', {}, { header: { typ: 'logout+jwt' } }],
    ['of another use: a proof of possession', {}, { header: { typ: 'dpop+jwt' } }],
  ])('%s is none', async (_, payload, signing) => {
    expect(await subject(await sign({ ...good, ...payload }, signing))).toBeNull();
  });

  it('has the type that the environment pins', async () => {
    for (const typ of ['JWT', 'at+jwt', 'application/at+jwt', 'AT+JWT'])
      expect(await subject(await sign(good, { header: { typ } })), typ).not.toBeNull();
    const pinned = { type: 'at+jwt' };
    expect(await subject(await sign(good, { header: { typ: 'at+jwt' } }), pinned)).not.toBeNull();
    expect(await subject(await sign(good, { header: { typ: 'JWT' } }), pinned)).toBeNull();
    expect(await subject(await sign(good), pinned)).toBeNull();
  });

  it('is checked with the keys that the file holds now', async () => {
    const file = join(folder, 'moving.json');
    const write = async (published: KeyObject, kid: string) =>
      writeFile(file, JSON.stringify({ keys: [{ ...(await exportJWK(published)), kid, alg: 'ES256' }] }));
    await write(stranger.publicKey, 'another');
    const verifier = await TokenVerifier.create([{ ...issuer, jwks: file }]);
    const token = await sign(good);
    expect(await verifier.subject(token)).toBeNull();
    await write(pair.publicKey, 'k1');
    expect(await verifier.subject(token)).not.toBeNull();
    await writeFile(file, '{"keys": [');
    await expect(verifier.subject(token)).rejects.toThrow('cannot be read now');
    await write(pair.publicKey, 'k1 ');
    expect(await verifier.subject(token)).toBeNull();
  });

  it('that expired within the clock tolerance is one', async () => {
    expect(await subject(await sign(good, { expires: '-5s' }))).not.toBeNull();
  });

  it('without a signature, or signed with the public key as a secret, is none', async () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const payload = part({ ...good, iss: 'https://id.example', aud: 'ambit', exp: Date.now() / 1000 + 60 });
    expect(await subject(`${part({ alg: 'none' })}.${payload}.`)).toBeNull();
    const signed = `${part({ alg: 'HS256', kid: 'k1' })}.${payload}`;
    const pem = pair.publicKey.export({ type: 'spki', format: 'pem' });
    const forged = `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`;
    expect(await subject(forged)).toBeNull();
    // Even where an environment would allow it.
    expect(await subject(forged, { algorithms: ['HS256', 'ES256'] })).toBeNull();
  });

  it('signed by an algorithm that is not pinned is none', async () => {
    expect(await subject(await sign(good), { algorithms: ['ES384', 'RS256'] })).toBeNull();
  });

  it('without a principal, or of no known kind, is none', async () => {
    expect(await subject(await sign({ roles: ['analyst'] }))).toBeNull();
    expect(await subject(await sign({ ...good, kind: 'anonymous' }), { kind: 'kind' })).toBeNull();
    expect(await subject(await sign({ ...good, kind: 'agent' }), { kind: 'kind' })).toBeNull();
  });

  it('of an agent: the actor asks, on behalf of the subject', async () => {
    // RFC 8693 4.1: `sub` is whom it is about, `act` who acts for it.
    const token = await sign({ ...good, sub: 'ada', kind: 'agent', act: { sub: 'assistant' } });
    expect(await subject(token, { kind: 'kind' })).toMatchObject({
      kind: 'agent',
      principal: 'assistant',
      onBehalfOf: { tenant: 'north', principal: 'ada' },
    });
  });

  it('that somebody acts with is never the subject’s own', async () => {
    const delegated = await subject(await sign({ ...good, act: { sub: 'assistant' } }));
    expect(delegated === null || delegated.kind === 'agent').toBe(true);
  });
});
