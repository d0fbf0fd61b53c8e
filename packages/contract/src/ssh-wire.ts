/** What SSH sends and signs (RFC 4251), read from its beginning. Every method throws `RangeError` where the bytes are not so. */
export class SshReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes);
  }

  /** So many bytes. */
  take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('the bytes end too early');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  uint32(): number {
    return this.take(4).readUInt32BE(0);
  }

  /** A length, and what is that long. */
  string(): Buffer {
    return this.take(this.uint32());
  }

  text(): string {
    return this.string().toString('latin1');
  }

  /** A whole number that is not negative, without the zeros that may not stand before it. */
  number(): Buffer {
    const bytes = this.string();
    const [first = 0, second = 0] = bytes;
    if (first > 127 || (bytes.length > 0 && first === 0 && second < 128)) {
      throw new RangeError('a number is not written as short as it can be');
    }
    return first === 0 ? bytes.subarray(1) : bytes;
  }

  /** Nothing may follow. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new RangeError('more bytes follow than belong here');
  }
}

/** A length, and what is that long: how SSH writes bytes. */
export function sshString(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as Uint8Array);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** A whole number that is not negative, as SSH writes it. */
export function sshNumber(bytes: Uint8Array): Buffer {
  const from = bytes.findIndex((byte) => byte !== 0);
  const digits = from < 0 ? Buffer.alloc(0) : Buffer.from(bytes.subarray(from));
  return sshString((digits[0] ?? 0) > 127 ? Buffer.concat([Buffer.of(0), digits]) : digits);
}
