import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

// A witness written after C2SP tlog-witness, tlog-cosignature and RFC 6962 alone: nothing of the package takes part.

/** How it answers; `cosigns` is what a witness should do. */
export type Mood =
  | 'cosigns'
  | 'refuses'
  | 'unknown'
  | 'hangs'
  | 'floods'
  | 'redirects'
  | 'signs something else'
  | 'says any size'
  | 'says no size';

export interface TestWitness {
  readonly url: string;
  readonly key: string;
  /** What it has cosigned last, by origin. */
  readonly seen: Map<string, { readonly size: number; readonly root: Buffer }>;
  /** Statuses that it answered, in order. */
  readonly answered: number[];
  /** Keys of logs that it trusts; anything else is refused. */
  readonly trusts: Set<string>;
  mood: Mood;
  close(): Promise<void>;
}

/** Starts one that trusts no log yet. */
export async function startWitness(name = 'witness.example/w1'): Promise<TestWitness> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const tagged = Buffer.concat([Buffer.of(4), rawKey(privateKey)]);
  const id = idOf(name, tagged);
  const server = createServer((request, reply) => void answer(request, reply));
  const witness: TestWitness = {
    url: '',
    key: `${name}+${id.toString('hex')}+${tagged.toString('base64')}`,
    seen: new Map(),
    answered: [],
    trusts: new Set(),
    mood: 'cosigns',
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
  const say = (reply: ServerResponse, status: number, text = '', type = 'text/plain'): void => {
    witness.answered.push(status);
    reply.writeHead(status, { 'content-type': type }).end(text);
  };
  const answer = async (request: IncomingMessage, reply: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { mood } = witness;
    if (request.method !== 'POST' || request.url !== '/prefix/add-checkpoint') return say(reply, 400);
    if (mood === 'hangs') return;
    if (mood === 'refuses') return say(reply, 403, 'SECRET of the witness');
    if (mood === 'unknown') return say(reply, 404);
    if (mood === 'says any size') return say(reply, 409, `${witness.answered.length}\n`, 'text/x.tlog.size');
    if (mood === 'says no size') return say(reply, 409, 'SECRET of the witness');
    if (mood === 'redirects')
      return void reply.writeHead(307, { location: witness.url.replace('prefix', 'other') }).end();
    if (mood === 'floods') return flood(reply);
    const [status, text, type] = judge(Buffer.concat(chunks).toString('utf8'));
    say(reply, status, text, type);
  };
  const judge = (body: string): readonly [number, string?, string?] => {
    const split = body.indexOf('\n\n');
    const [first = '', ...proof] = body.slice(0, split).split('\n');
    const note = body.slice(split + 2);
    const text = note.slice(0, note.indexOf('\n\n') + 1);
    const [origin = '', size = '', root = ''] = text.split('\n');
    const [, old = ''] = /^old (0|[1-9][0-9]*)$/.exec(first) ?? [];
    if (old === '' || proof.length > 63 || Number(old) > Number(size)) return [400];
    if (![...witness.trusts].some((key) => key.startsWith(`${origin}+`))) return [404];
    if (![...witness.trusts].some((key) => signedBy(note, key))) return [403];
    const last = witness.seen.get(origin) ?? { size: 0, root: createHash('sha256').digest() };
    const grown = { size: Number(size), root: Buffer.from(root, 'base64') };
    if (last.size !== Number(old)) return [409, `${last.size}\n`, 'text/x.tlog.size'];
    if (last.size === grown.size && !last.root.equals(grown.root)) return [409, `${last.size}\n`, 'text/x.tlog.size'];
    if (
      !grows(
        last,
        grown,
        proof.map((hash) => Buffer.from(hash, 'base64')),
      )
    )
      return [422];
    witness.seen.set(origin, grown);
    const time = BigInt(Math.floor(Date.now() / 1_000));
    const stamp = Buffer.alloc(8);
    stamp.writeBigUInt64BE(time);
    const said = witness.mood === 'signs something else' ? `${text}more\n` : text;
    const signature = sign(null, Buffer.from(`cosignature/v1\ntime ${time}\n${said}`), privateKey);
    const line = `\u2014 ${name} ${Buffer.concat([id, stamp, signature]).toString('base64')}\n`;
    const stranger = `\u2014 stranger.example ${Buffer.alloc(76, 7).toString('base64')}\n`;
    return [200, stranger + line];
  };
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  server.unref();
  return Object.assign(witness, { url: `http://127.0.0.1:${port}/prefix` });
}

/** 100 MB, as fast as they are taken. */
function flood(reply: ServerResponse): void {
  reply.writeHead(200);
  let left = 100;
  const more = (): void => {
    while (left > 0 && reply.write(Buffer.alloc(1024 * 1024, 'a'))) left -= 1;
    if (left <= 0) reply.end();
    else left -= 1;
  };
  reply.on('drain', more).on('error', () => undefined);
  more();
}

function rawKey(key: Parameters<typeof createPublicKey>[0]): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
}

function idOf(name: string, tagged: Buffer): Buffer {
  return createHash('sha256').update(`${name}\n`).update(tagged).digest().subarray(0, 4);
}

/** Whether a note has a signature of this verifier key, of either kind. */
export function signedBy(note: string, key: string): boolean {
  const [name = '', id = '', ...encoded] = key.split('+');
  const tagged = Buffer.from(encoded.join('+'), 'base64');
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), tagged.subarray(1)]);
  const of = createPublicKey({ key: der, format: 'der', type: 'spki' });
  const end = note.indexOf('\n\n');
  const text = note.slice(0, end + 1);
  return note
    .slice(end + 2)
    .split('\n')
    .some((line) => {
      const [dash, from, base64 = ''] = line.split(' ');
      const bytes = Buffer.from(base64, 'base64');
      if (dash !== '\u2014' || from !== name || bytes.subarray(0, 4).toString('hex') !== id) return false;
      if (tagged[0] === 1) return verify(null, Buffer.from(text), of, bytes.subarray(4));
      const said = `cosignature/v1\ntime ${bytes.readBigUInt64BE(4)}\n${text}`;
      return verify(null, Buffer.from(said), of, bytes.subarray(12));
    });
}

interface Head {
  readonly size: number;
  readonly root: Buffer;
}

/** RFC 6962, 2.1.2, backwards: both roots out of the proof, top down. */
function grows(old: Head, grown: Head, proof: readonly Buffer[]): boolean {
  if (old.size === 0 || old.size === grown.size) return proof.length === 0;
  const rest = [...proof];
  const made = subproof(old.size, grown.size, true, old.root, rest);
  return made !== null && rest.length === 0 && made[0].equals(old.root) && made[1].equals(grown.root);
}

/** Old and new root of the subtree of `n` leaves of which the old tree had `m`; takes its hashes off the proof's end. */
function subproof(
  m: number,
  n: number,
  whole: boolean,
  old: Buffer,
  proof: Buffer[],
): readonly [Buffer, Buffer] | null {
  if (m === n) {
    const hash = whole ? old : proof.pop();
    return hash === undefined ? null : [hash, hash];
  }
  let k = 1;
  while (k * 2 < n) k *= 2;
  const sibling = proof.pop();
  if (sibling === undefined) return null;
  const inner = m <= k ? subproof(m, k, whole, old, proof) : subproof(m - k, n - k, false, old, proof);
  if (inner === null) return null;
  const node = (left: Buffer, right: Buffer): Buffer =>
    createHash('sha256').update(Buffer.of(1)).update(left).update(right).digest();
  return m <= k ? [inner[0], node(inner[1], sibling)] : [node(sibling, inner[0]), node(sibling, inner[1])];
}
