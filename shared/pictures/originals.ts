/** Most bytes that are read of an original, from wherever it comes; no upload may be larger. */
export const maxOriginalBytes = 100 * 1024 * 1024;

/** The number of first bytes that identify a picture's type. */
export const identifyingBytes = 4100;
