import type { SessionEvidence } from '@ambit/evidence';

type Report = Readonly<Record<string, unknown>>;

/** A session's evidence. Its own subject does not see what lies inside the barriers: counts there are of hidden rows. */
export function present(session: SessionEvidence, whole: boolean): object {
  const { intent, outcome, grant, boundary } = session;
  return {
    session: intent.session,
    intent,
    outcome:
      outcome === null || whole
        ? outcome
        : {
            ...outcome,
            error: outcome.error === null ? null : { ...outcome.error, detail: null },
            engine: outside(outcome.engine as Report | null),
          },
    grant: grant?.grant ?? null,
    boundary: whole ? (boundary?.boundary ?? null) : consumersBoundary(boundary?.boundary as Report | undefined),
    whole,
  };
}

function outside(engine: Report | null): object | null {
  if (engine === null) return null;
  const {
    operators,
    accesses,
    tables,
    physicalPlan: _,
    memoryPeakBytes: __,
    spillBytes: ___,
    timings: ____,
    ...rest
  } = engine as {
    operators?: readonly { inside: string | null }[];
    accesses?: readonly Report[];
    tables?: Readonly<Record<string, Report>>;
  } & Report;
  return {
    ...rest,
    // That an object was opened, with which credential and in which version: not how much of it was read.
    accesses: accesses?.map(({ store, credential, object, version }) => ({ store, credential, object, version })) ?? [],
    operators: operators?.filter(({ inside }) => inside === null) ?? [],
    tables: Object.fromEntries(
      Object.entries(tables ?? {}).map(([name, { innerPlans: _inner, pushedPredicates: _pushed, ...use }]) => [
        name,
        use,
      ]),
    ),
  };
}

/** The boundary without policy texts and what the subject was not granted. */
function consumersBoundary(boundary: Report | undefined): object | null {
  if (boundary === undefined) return null;
  const { product, environment, purposes, session, settings, limits, engine } = boundary;
  return { product, environment, purposes, session, settings, limits, engine };
}
