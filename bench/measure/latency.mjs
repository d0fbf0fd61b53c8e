// A question over HTTP with durable evidence, step by step; beside it, the same on raw DataFusion in process. The two take
// turns, so that what the machine does meanwhile meets both.

import { questions, serveFlights, threads } from '../flights.mjs';
import { latencyOf, micros, quantile } from '../quantiles.mjs';

const turns = 5;

/**
 * @param {number} requests
 * @param {import('../peers/raw.mjs').Raw} raw
 */
export async function latency(requests, raw) {
  const server = await serveFlights();
  try {
    const results = [];
    for (const [question, sql] of Object.entries(questions)) {
      console.error(`bench: ${requests} times the ${question} query over HTTP, and on raw DataFusion`);
      const found = {
        http: /** @type {number[]} */ ([]),
        warm: /** @type {number[]} */ ([]),
        fresh: /** @type {number[]} */ ([]),
      };
      const sessions = /** @type {string[]} */ ([]);
      await ask(server, sql);
      for (let turn = 0; turn < turns; turn += 1) {
        for (let request = 0; request < requests / turns; request += 1) {
          found.http.push(await micros(async () => sessions.push(await ask(server, sql))));
        }
        const beside = await raw.latency({ sql, requests: Math.ceil(requests / turns), threads });
        found.warm.push(...beside.warm);
        found.fresh.push(...beside.fresh);
      }
      const p50 = latencyOf(found.http).p50;
      results.push({
        question,
        ambit: latencyOf(found.http),
        raw: { warmContext: latencyOf(found.warm), newContext: latencyOf(found.fresh) },
        steps: await stepsOf(server, sessions, p50),
      });
    }
    return results;
  } finally {
    await server.stop();
    server.clear();
  }
}

/** The session that answered. */
async function ask(/** @type {import('../flights.mjs').Server} */ server, /** @type {string} */ sql) {
  const answer = await server.ask(sql);
  const body = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status}: ${body}`);
  return /** @type {string} */ (answer.headers.get('ambit-session'));
}

/**
 * Where the time went: the median of each step, as the evidence of the sessions tells it. Steps of the engine are within
 * `plan` and `run`. What no step has is HTTP, here and at the client, and the outcome's way to the disk.
 */
async function stepsOf(
  /** @type {import('../flights.mjs').Server} */ server,
  /** @type {string[]} */ sessions,
  /** @type {number} */ total,
) {
  /** @type {Map<string, number[]>} */
  const steps = new Map();
  for (const session of sessions) {
    const { outcome } = /** @type {{ outcome: any }} */ (await server.evidence(session));
    for (const [step, value] of Object.entries({ ...outcome.steps, ...engineSteps(outcome.engine.timings) })) {
      steps.set(step, [...(steps.get(step) ?? []), Number(value)]);
    }
  }
  const medians = Object.fromEntries([...steps].map(([step, values]) => [step, Math.round(quantile(values, 0.5))]));
  const known = Object.entries(medians).filter(([step]) => !step.startsWith('engine.'));
  return { ...medians, 'outcome, HTTP, client': total - known.reduce((sum, [, value]) => sum + value, 0), total };
}

function engineSteps(/** @type {Record<string, number>} */ timings) {
  return Object.fromEntries(Object.entries(timings).map(([step, value]) => [`engine.${step}`, value]));
}
