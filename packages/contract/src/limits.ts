/** Every limit of this package that is no member of a schema. */
export const limits = {
  /** How long the keys of a role live: what the protocol admits. */
  roleMsMin: 15 * 60_000,
  roleMsMax: 12 * 3_600_000,
} as const;
