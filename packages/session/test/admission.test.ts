import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Admission } from '../src/admission.ts';
import { Refused } from '../src/errors.ts';

const later = (): number => Date.now() + 60_000;

describe('admission', () => {
  it('never lets in more than there are places, refuses only when the queue is full, and loses no place', async () => {
    const limits = fc.record({ concurrency: fc.integer({ min: 1, max: 4 }), queue: fc.integer({ min: 0, max: 4 }) });
    const steps = fc.array(fc.oneof(fc.constant('enter' as const), fc.nat({ max: 5 })), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(limits, steps, async (limit, moves) => {
        const admission = new Admission();
        const inside: (() => void)[] = [];
        let waiting = 0;
        const settle = (): Promise<void> => new Promise((done) => setImmediate(done));
        for (const move of moves) {
          if (move === 'enter') {
            const full = inside.length === limit.concurrency && waiting === limit.queue;
            waiting += 1;
            const entering = admission.enter('p', limit, later()).then(
              (leave) => {
                waiting -= 1;
                inside.push(leave);
                return 'in';
              },
              (error: unknown) => {
                waiting -= 1;
                expect(error).toBeInstanceOf(Refused);
                return 'refused';
              },
            );
            if (full) expect(await entering).toBe('refused');
          } else {
            inside.splice(move % Math.max(1, inside.length), 1)[0]?.();
          }
          await settle();
          expect(inside.length).toBeLessThanOrEqual(limit.concurrency);
          expect(waiting).toBeLessThanOrEqual(limit.queue);
          // Nobody waits beside an empty place.
          if (waiting > 0) expect(inside.length).toBe(limit.concurrency);
        }
        while (inside.length > 0) {
          inside.shift()?.();
          await settle();
        }
        expect(waiting).toBe(0);
      }),
    );
  });

  it('lets in who waited longest', async () => {
    const admission = new Admission();
    const limits = { concurrency: 1, queue: 3 };
    const leave = await admission.enter('p', limits, later());
    const order: number[] = [];
    const entering = [1, 2, 3].map(async (who) => {
      const out = await admission.enter('p', limits, later());
      order.push(who);
      out();
    });
    leave();
    await Promise.all(entering);
    expect(order).toEqual([1, 2, 3]);
  });

  it('frees one place for one session, however often it leaves', async () => {
    const admission = new Admission();
    const limits = { concurrency: 1, queue: 0 };
    const leave = await admission.enter('p', limits, later());
    leave();
    leave();
    await admission.enter('p', limits, later());
    await expect(admission.enter('p', limits, later())).rejects.toMatchObject({ code: 'limit_concurrency' });
  });

  it('counts the time in the queue, and who gave up takes no place', async () => {
    vi.useFakeTimers();
    try {
      const admission = new Admission();
      const limits = { concurrency: 1, queue: 2 };
      const leave = await admission.enter('p', limits, later());
      const impatient = admission.enter('p', limits, Date.now() + 100);
      const refused = expect(impatient).rejects.toMatchObject({ code: 'limit_time' });
      const patient = admission.enter('p', limits, later());
      await vi.advanceTimersByTimeAsync(100);
      await refused;
      leave();
      (await patient)();
      await admission.enter('p', limits, later());
    } finally {
      vi.useRealTimers();
    }
  });

  it('keeps tenants apart', async () => {
    const admission = new Admission();
    const limits = { concurrency: 1, queue: 0 };
    await admission.enter('p\nnorth', limits, later());
    await admission.enter('p\nsouth', limits, later());
    await expect(admission.enter('p\nnorth', limits, later())).rejects.toBeInstanceOf(Refused);
  });
});
