/** What several fields are checked for. */
export const notNegative = { min: 0 } as const;
export const percent = { min: 0, max: 100 } as const;
export const port = { min: 0, max: 65_535 } as const;
/** A field that Go holds without a pointer: zero is absence. */
export const orDefault = { zeroIsUnset: true } as const;
