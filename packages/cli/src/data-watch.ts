import { durationMs, type Environment } from '@ambit/contract';
import type { EvidenceLog } from '@ambit/evidence';
import { type Drifts, DriftWatch, eitherCloses, Issuer, type Product, QualityWatch } from '@ambit/session';

import type { Fleet } from './fleet.ts';
import { say, type Terminal } from './terminal.ts';

/** What a server does about its data: it holds it against the contracts, and against what these promise. */
export interface DataWatch {
  /** Tables that are closed because of what was found. */
  readonly drifts: Drifts;
  /** Looks at what is served from now on. Resolves when it is known what has drifted: rules read rows, and take their time. */
  look(products: readonly Product[]): Promise<void>;
  /** Looks again, as often as the environment says now. */
  every(value: Environment, products: () => readonly Product[]): void;
  close(): Promise<void>;
}

/** How often data is held against contracts where the environment says nothing. */
const DRIFT_EVERY = '5m';
/** How often it is held against their rules. */
const QUALITY_EVERY = '1h';

export function watchData(terminal: Terminal, fleet: Fleet, evidence: EvidenceLog): DataWatch {
  const tell = (message: string): void => say(terminal, `data: ${message}`);
  const drift = new DriftWatch(() => fleet.engine, evidence, tell);
  const quality = new QualityWatch({ engine: () => fleet.engine, issuer: new Issuer(), evidence }, tell);
  return {
    drifts: eitherCloses(drift, quality),
    look: async (products) => {
      await drift.check(products);
      void quality.checkNew(products);
    },
    every: (value, products) => {
      drift.every(durationMs(value.drift?.every ?? DRIFT_EVERY), products);
      quality.every(durationMs(value.quality?.every ?? QUALITY_EVERY), products);
    },
    close: async () => {
      await Promise.all([drift.close(), quality.close()]);
    },
  };
}
