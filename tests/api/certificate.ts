import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../tools/process.mjs';

/** PEM files of a certificate for this machine that nobody but its maker vouches for. */
export async function selfMade(): Promise<{
  readonly folder: string;
  readonly certificate: string;
  readonly key: string;
}> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-tls-'));
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const made = await run('openssl', [...words, ...subject, '-out', certificate, '-keyout', key], { output: 'capture' });
  if (made.status !== 0)
    throw new Error(`openssl makes no certificate (Debian: apt-get install openssl): ${made.stderr}`);
  return { folder, certificate, key };
}
