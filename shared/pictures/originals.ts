/** Size limit for an original in bytes, for uploads and for foreign publishers. */
export const maxOriginalBytes = 100 * 1024 * 1024;

/** The number of first bytes that identify a picture's type. */
export const identifyingBytes = 4100;
