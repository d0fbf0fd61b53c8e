import { hash } from 'node:crypto';

/** SHA-256, 64 lower-case hexadecimal digits. Text is hashed as UTF-8. */
export function sha256Hex(content: string | Uint8Array): string {
  return hash('sha256', content, 'hex');
}

/** The head of an empty log. */
export const emptyHead = '0'.repeat(64);

const link = Buffer.alloc(64);

/**
 * The head of the log after one more line: SHA-256 of the head before it and of the line's digest, both as 32 bytes.
 * It names the whole past of the log.
 */
export function nextHead(head: string, digest: string): string {
  link.write(head, 0, 'hex');
  link.write(digest, 32, 'hex');
  return hash('sha256', link, 'hex');
}

/** 48 bits of SHA-256: where the index looks. A collision costs one more read, never a wrong answer. */
export function indexKey(text: string): number {
  return hash('sha256', text, 'buffer').readUIntBE(0, 6);
}
