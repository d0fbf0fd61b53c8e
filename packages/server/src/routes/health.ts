import { EvidenceUnavailable } from '@ambit/evidence';
import { isServed } from '@ambit/session';
import type { FastifyInstance } from 'fastify';
import * as answers from '../answers.ts';
import { openedProducts } from '../break-glass.ts';
import { RequestRefused } from '../problems.ts';
import { refusalsOf } from '../schemas.ts';
import type { Serving } from '../serving.ts';

/** Routes for whoever supervises the server. They say nothing about anybody's sessions. */
export function addHealthRoutes(app: FastifyInstance, serving: Serving): void {
  const tags = ['health'];
  app.get(
    '/health',
    {
      config: { access: 'everyone' },
      schema: {
        operationId: 'health',
        summary: 'The server is alive, and what it made of changed files',
        tags,
        security: [],
        response: { 200: answers.json('Alive', answers.Alive), ...refusalsOf('internal') },
      },
    },
    () => {
      const { loadedAt, refused } = serving.served;
      const opened = openedProducts(serving.products).length;
      const unapproved = serving.products.filter((product) => !isServed(product, Date.now())).length;
      return {
        status: 'alive',
        loadedAt,
        reloadRefused: refused,
        ...(opened === 0 ? {} : { breakGlass: opened }),
        ...(unapproved === 0 ? {} : { unapproved }),
      };
    },
  );
  app.get(
    '/ready',
    {
      config: { access: 'everyone' },
      schema: {
        operationId: 'ready',
        summary: 'Sessions can be opened',
        tags,
        security: [],
        response: {
          200: answers.json('Ready', answers.Ready),
          ...refusalsOf('internal', 'engine_unavailable', 'evidence_unavailable', 'server_stopping'),
        },
      },
    },
    async () => {
      const failure = serving.evidence.failure();
      if (!(await serving.engine.ready()))
        throw new RequestRefused('engine_unavailable', 'no worker can run a session now');
      if (failure !== null) throw new EvidenceUnavailable(failure);
      return { status: 'ready' };
    },
  );
}
