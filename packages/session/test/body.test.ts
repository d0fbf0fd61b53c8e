import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { startingWith } from '../src/records.ts';

/** A body that says when it was closed; its first part is pulled. */
async function pulled() {
  let closed = 0;
  async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield Buffer.from('a');
      yield Buffer.from('b');
    } finally {
      closed += 1;
    }
  }
  const rest = body();
  return { body: startingWith(await rest.next(), rest), closed: () => closed };
}

describe('a body whose first part was pulled', () => {
  it('is whole', async () => {
    const { body, closed } = await pulled();
    let text = '';
    for await (const part of body) text += String(Buffer.from(part));
    expect(text).toBe('ab');
    expect(closed()).toBe(1);
  });

  it('is closed when its reader stops before, at and after the first part', async () => {
    for (const taken of [0, 1, 2]) {
      const { body, closed } = await pulled();
      for (let part = 0; part < taken; part += 1) await body.next();
      await body.return();
      expect(closed()).toBe(1);
    }
  });

  it('is closed when its stream is destroyed unread', async () => {
    const { body, closed } = await pulled();
    const stream = Readable.from(body);
    const gone = new Promise((resolve) => stream.once('close', resolve));
    stream.destroy();
    await gone;
    expect(closed()).toBe(1);
  });
});
