import type { Sealed } from './seal.ts';

/** JSON that survives canonicalization: integers only, no `undefined`. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What every record has. Assigned by the log. */
export interface RecordEnvelope {
  readonly v: 1;
  /** Position in the log, from 0, without gaps. */
  readonly seq: number;
  /** UTC, microseconds, ISO 8601. */
  readonly at: string;
  /** Monotonic nanoseconds of the writing process, as a string: shows a clock that was set back. */
  readonly monotonic: string;
  /** The process run that wrote it. */
  readonly boot: string;
}

export interface LogOpened {
  readonly type: 'log.opened';
  readonly log: string;
  readonly ambit: string;
  /** Verifier key of the checkpoints from here on, as `name+id+key`. */
  readonly key: string;
  /** Records that recovery found whole in the last segments, and bytes of a torn tail that it set aside. */
  readonly recovered: { readonly records: number; readonly tornBytes: number };
}

/** The last record of a process run that was told to stop. Where it is missing, the process was killed. */
export interface LogClosed {
  readonly type: 'log.closed';
}

/** From the next record on, checkpoints are signed by another key. Both signed this. */
export interface KeyRotated {
  readonly type: 'key.rotated';
  /** Verifier keys, as `name+id+key`. */
  readonly from: string;
  readonly to: string;
  /** Base64, over the line `ambit key rotation` and the canonical JSON of `from`, `log` and `to`, each with a line feed. */
  readonly signatures: { readonly from: string; readonly to: string };
}

/** Whole segments are about to be removed because they are old. Their tree stays. */
export interface EvidencePruned {
  readonly type: 'evidence.pruned';
  /** Segments up to this one go. */
  readonly segment: number;
  /** `seq` of the first record that stays. */
  readonly first: number;
  /** Everything in them is older. UTC, ISO 8601. */
  readonly before: string;
}

/** A key that literals were sealed under is gone: nobody can open them any more. */
export interface SealDestroyed {
  readonly type: 'seal.destroyed';
  /** Id of the key, as records name it. */
  readonly key: string;
  readonly period: string;
  /** When it was deleted. UTC, ISO 8601. */
  readonly destroyed: string;
}

/** Another server of a shared log is gone, and takes no part any more. Outcomes of its sessions follow, in the same step. */
export interface ServerLost {
  readonly type: 'server.lost';
  /** The process run that is lost: `boot` of its records. */
  readonly server: string;
  /** Its sessions that had no outcome. */
  readonly sessions: number;
}

/** Written when the log could not be written for a while, or a segment was abandoned. */
export interface EvidenceGap {
  readonly type: 'evidence.gap';
  readonly reason: string;
}

export interface BoundaryLoaded {
  readonly type: 'boundary.loaded';
  readonly product: string;
  readonly version: string;
  readonly environment: string;
  readonly fingerprint: string;
  readonly boundary: Json;
}

/** The data of a table is other than when it was looked at before: other than its contract says, or not any more. */
export interface SourceDrifted {
  readonly type: 'source.drifted';
  readonly product: string;
  readonly version: string;
  readonly environment: string;
  readonly fingerprint: string;
  readonly table: string;
  /** Closed: no session reads it until it is found as declared. */
  readonly state: 'open' | 'closed';
  /** How it differs, as the engine found it; empty: it is as declared again. */
  readonly drift: Json;
  /** Files that were looked at, of so many. */
  readonly files: number;
  readonly filesTotal: number;
  /** What was read to tell. */
  readonly accesses: Json;
}

/** What a product's data is about to be held against, by the server itself: durable before the engine reads anything. */
export interface QualityStarted {
  readonly type: 'quality.started';
  readonly check: string;
  readonly product: string;
  readonly version: string;
  readonly environment: string;
  readonly fingerprint: string;
  /** Because of what the boundary is served: see `review.applied`. Absent where no owner has to approve it. */
  readonly review?: string;
  /** What `now()` says while it runs: microseconds since 1970 UTC. */
  readonly clockMicros: number;
  readonly promises: readonly Promised[];
}

/** A rule of quality, or a service level that says how old data may be. */
export interface Promised {
  readonly kind: 'rule' | 'service-level';
  readonly table: string;
  readonly column: string | null;
  /** As the boundary names it: `enough`, `origin.known`. */
  readonly name: string;
}

/** How it ended. At most one for each `quality.started`; where it is missing, the process was ended before. */
export interface QualityChecked {
  readonly type: 'quality.checked';
  readonly check: string;
  /** `seq` of the record that began it. */
  readonly started: number;
  readonly product: string;
  readonly version: string;
  readonly environment: string;
  readonly fingerprint: string;
  /** In the order in which they were named. */
  readonly results: readonly QualityResult[];
  /** Tables that nobody reads from here on because of it. */
  readonly closed: readonly string[];
  /** What was read to tell: of so many objects. Of more than a thousand the first by name are here. */
  readonly accesses: Json;
  readonly objects: number;
}

export interface QualityResult extends Promised {
  /** `error`: there is no number to compare. */
  readonly status: 'passed' | 'failed' | 'error';
  readonly severity: string;
  /** What the number must be, as the contract says it. */
  readonly promise: string;
  /** The one number that the rule asks for, as text; null where there is none. */
  readonly value: string | null;
  /** Why there is none. */
  readonly code: string | null;
  readonly micros: number;
}

/** A review that counts towards a boundary. */
export interface AppliedReview {
  /** Of its statement. */
  readonly digest: string;
  readonly who: string;
  /** Name of the key that signed it. */
  readonly key: string;
  readonly reason: string;
  readonly signedAt: string;
  readonly expires: string;
}

/** An operator's opening of a boundary that no owner approved. */
export interface AppliedOpening {
  /** Of its statement. */
  readonly digest: string;
  readonly who: string;
  readonly key: string;
  readonly reason: string;
  readonly signedAt: string;
  readonly until: string;
}

/** Because of what a boundary is served that an owner must approve. Written once a segment before the first intent that names it. */
export interface ReviewApplied {
  readonly type: 'review.applied';
  /** Of all the members after it. */
  readonly digest: string;
  readonly product: string;
  readonly version: string;
  readonly environment: string;
  readonly fingerprint: string;
  /** What it took the place of: fingerprint, or `nothing`. */
  readonly from: string;
  /** The first boundary of its chain of reviews. Null where an operator opened it without one. */
  readonly root: string | null;
  readonly effect: string;
  /** People that the difference needs. */
  readonly needed: number;
  readonly reviews: readonly AppliedReview[];
  /** Null: owners approved it. */
  readonly breakGlass: AppliedOpening | null;
}

/** From here on a boundary is served that no owner approved, because an operator opened it. */
export interface BreakGlassOpened extends Omit<BoundaryLoaded, 'type' | 'boundary'> {
  readonly type: 'break-glass.opened';
  readonly opening: AppliedOpening;
}

/** From here on it is not, or not because of that. */
export interface BreakGlassEnded extends Omit<BoundaryLoaded, 'type' | 'boundary'> {
  readonly type: 'break-glass.ended';
  /** Of the opening's statement. */
  readonly opening: string;
  /** `over`: its time. `closed`: an operator took it away. `approved`: owners did meanwhile. `stopped`: the server was. */
  readonly cause: 'over' | 'closed' | 'approved' | 'stopped';
}

/** Files were read anew, and all of them are right: from the next record on, sessions begin on these boundaries. */
export interface ReloadApplied {
  readonly type: 'reload.applied';
  readonly environment: string;
  /** `files`: they changed. `signal`: an operator asked. */
  readonly cause: 'files' | 'signal';
  /** All that is served. */
  readonly products: readonly { readonly product: string; readonly version: string; readonly fingerprint: string }[];
}

/** Files were read anew, and something is wrong: what was served before is served still. */
export interface ReloadRefused {
  readonly type: 'reload.refused';
  readonly environment: string;
  readonly cause: 'files' | 'signal';
  /** As the operator was told, with files relative to where the server was started. */
  readonly problems: readonly string[];
}

/** A credential that stores are asked with from here on. Written once a segment before the first session that has it. */
export interface CredentialIssued {
  readonly type: 'credential.issued';
  /** Of all the members after it. */
  readonly digest: string;
  /** Reference, as contracts name it. */
  readonly reference: string;
  readonly product: string;
  /** Identifier of the key, which the store's own records name. Not a secret. */
  readonly keyId: string;
  /** The role that was taken on for it; null: keys of an account. */
  readonly role: string | null;
  /** What its session policy names, by bucket: keys, and what others begin with. Null: what the account may. */
  readonly scope: Json;
  /** UTC, ISO 8601; null: for good. */
  readonly expires: string | null;
}

/** A grant, written once a boot before the first intent that names it. */
export interface GrantIssued {
  readonly type: 'grant.issued';
  readonly digest: string;
  readonly grant: Json;
}

export interface StatementRecord {
  readonly kind: 'sql' | 'query';
  /** Name of the named query. */
  readonly name: string | null;
  readonly sql: string;
  /** SHA-256 of the SQL's bytes; where it was sealed, an HMAC of what was asked, under the sealing key. */
  readonly digest: string;
  readonly parameters: { readonly [name: string]: Json };
}

/** Durable before the engine sees the statement. */
export interface SessionIntent {
  readonly type: 'session.intent';
  readonly session: string;
  readonly request: string;
  readonly product: string;
  readonly version: string;
  readonly environment: string;
  readonly fingerprint: string;
  readonly grant: string;
  readonly subject: Json;
  readonly purpose: string;
  readonly scope: string;
  readonly statement: StatementRecord;
  readonly format: string;
  readonly limits: Json;
  /** Credential references that the session may use; never a secret. */
  readonly credentials: Json;
  readonly traceparent: string | null;
  /** What `now()` says in the session: microseconds since 1970 UTC. Absent where it was not kept yet. */
  readonly clockMicros?: number;
  /** Because of what the boundary is served: see `review.applied`. Absent where no owner has to approve it. */
  readonly review?: string;
  /** There where the session repeats another, `of`, because of somebody, `by`. Its rows leave to nobody. */
  readonly replay?: { readonly of: string; readonly by: Json };
  /** There where the contract has literals sealed: `statement` as it was asked. */
  readonly sealed?: Sealed;
}

/** A credential that a session had; see `credential.issued`. */
export interface SessionCredential {
  readonly reference: string;
  /** `digest` of its record. */
  readonly digest: string;
  readonly keyId: string;
  readonly role: string | null;
  readonly expires: string | null;
}

/** Durable before the end of the stream. Exactly one for each intent. */
export interface SessionOutcome {
  readonly type: 'session.outcome';
  readonly session: string;
  /** `seq` of the intent. */
  readonly intent: number;
  readonly status: 'completed' | 'refused' | 'failed' | 'cancelled' | 'crashed' | 'orphaned';
  readonly error: { readonly code: string; readonly message: string; readonly detail: string | null } | null;
  /** Rows and bytes delivered to the consumer. */
  readonly rows: number;
  readonly bytes: number;
  /** What the engine reports: plan, tables, functions, operators, accesses, peaks, timings, residue. Null if it never could; `omitted` if the record would be too long. */
  readonly engine: Json;
  /** What its stores could be asked with. Absent where they need no credential. */
  readonly issued?: readonly SessionCredential[];
  /** Microseconds of each step of the one path. */
  readonly steps: { readonly [step: string]: number };
  /** There where the contract has literals sealed: `error`, and of `engine` what may hold some. */
  readonly sealed?: Sealed;
}

/** A request that got no session, and which boundary refused it. */
export interface RequestRefused {
  readonly type: 'request.refused';
  readonly request: string;
  readonly product: string | null;
  readonly fingerprint: string | null;
  readonly subject: Json;
  readonly purpose: string | null;
  readonly code: string;
  readonly message: string;
  readonly decisions: Json;
  /** There where it would have repeated a session: as in the intent. */
  readonly replay?: SessionIntent['replay'];
  /** There where the contract has literals sealed: `purpose` and `message`. */
  readonly sealed?: Sealed;
}

export type RecordBody =
  | LogOpened
  | LogClosed
  | KeyRotated
  | EvidencePruned
  | SealDestroyed
  | ServerLost
  | EvidenceGap
  | BoundaryLoaded
  | SourceDrifted
  | QualityStarted
  | QualityChecked
  | ReviewApplied
  | BreakGlassOpened
  | BreakGlassEnded
  | ReloadApplied
  | ReloadRefused
  | GrantIssued
  | CredentialIssued
  | SessionIntent
  | SessionOutcome
  | RequestRefused;

export type EvidenceRecord = RecordEnvelope & RecordBody;
