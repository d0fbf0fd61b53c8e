import type { FastifyInstance } from 'fastify';
import { addBoundaryRoute } from './routes/boundary.ts';
import { addEvidenceRoutes } from './routes/evidence.ts';
import { addHealthRoutes } from './routes/health.ts';
import { addProductRoutes } from './routes/product.ts';
import { addQueryRoutes } from './routes/query.ts';
import { addReceiptRoutes } from './routes/receipt.ts';
import { addReplayRoute } from './routes/replay.ts';
import { addSessionRoutes } from './routes/session.ts';
import type { Serving } from './serving.ts';

/** Every route. Each is a thin adapter over the one path. */
export function addRoutes(app: FastifyInstance, serving: Serving): void {
  addQueryRoutes(app, serving);
  addProductRoutes(app, serving);
  addBoundaryRoute(app, serving);
  addSessionRoutes(app, serving);
  addReplayRoute(app, serving);
  addEvidenceRoutes(app, serving);
  addReceiptRoutes(app, serving);
  addHealthRoutes(app, serving);
}
