/** The log cannot be written. Nothing may run that would have to be recorded. */
export class EvidenceUnavailable extends Error {
  override readonly name = 'EvidenceUnavailable';
  readonly code = 'evidence_unavailable';
}

/** Another process writes this log. */
export class EvidenceLocked extends Error {
  override readonly name = 'EvidenceLocked';
  readonly code = 'evidence_locked';
}
