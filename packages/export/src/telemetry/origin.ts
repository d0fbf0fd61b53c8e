import { randomUUID } from 'node:crypto';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';

/** What all telemetry of a process says of where it comes from. Nothing of the process's environment. */
export interface Origin {
  readonly resource: Resource;
  readonly scope: { readonly name: string; readonly version: string };
}

export function originOf(environment: string, version: string): Origin {
  return {
    resource: resourceFromAttributes({
      'service.name': 'ambit',
      'service.version': version,
      'service.instance.id': randomUUID(),
      'deployment.environment.name': environment,
    }),
    scope: { name: 'ambit', version },
  };
}
