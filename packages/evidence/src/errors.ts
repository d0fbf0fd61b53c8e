/** The log cannot be written. Nothing may run that would have to be recorded. */
export class EvidenceUnavailable extends Error {
  override readonly name = 'EvidenceUnavailable';
  readonly code = 'evidence_unavailable';
  /** Whether this process will never write it again. */
  readonly final: boolean;

  constructor(message: string, final = false) {
    super(message);
    this.final = final;
  }
}

/** Another process writes this log. */
export class EvidenceLocked extends Error {
  override readonly name = 'EvidenceLocked';
  readonly code = 'evidence_locked';
}

/** The key that signs the log is not the one that its records name. */
export class EvidenceKeyUnknown extends Error {
  override readonly name = 'EvidenceKeyUnknown';
  readonly code = 'evidence_key_unknown';
}

/** The log is not what its own checkpoints say. Nothing is added to it. */
export class EvidenceDamaged extends Error {
  override readonly name = 'EvidenceDamaged';
  readonly code = 'evidence_damaged';
}

/** A witness that is declared cannot be asked, or its signature could not be checked. */
export class EvidenceWitnessInvalid extends Error {
  override readonly name = 'EvidenceWitnessInvalid';
  readonly code = 'evidence_witness_invalid';
}

/** A record that contradicts the log: an outcome without an intent, a second outcome. */
export class EvidenceContradiction extends Error {
  override readonly name = 'EvidenceContradiction';
  readonly code = 'evidence_contradiction';
}

/** What is asked cannot be done with this folder or this role, because servers share the log. */
export class EvidenceShared extends Error {
  override readonly name = 'EvidenceShared';
  readonly code = 'evidence_shared';
}
