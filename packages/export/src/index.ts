/** What leaves the evidence for other systems: OpenLineage, OpenTelemetry, Prometheus. */
export { type Endpoint, ExportsInvalid } from './config.ts';
export { type Exports, type ExportsOptions, startExports } from './exports.ts';
export { runId } from './identity.ts';
export { sessionFacetSchema } from './openlineage/facets.ts';
