/** Size limit for an original in bytes, for uploads and for foreign publishers. */
export const maxOriginalBytes = 100 * 1024 * 1024;
