/** The most that is read of an original, in bytes, wherever it comes from; no upload of ours may be larger. */
export const mostOriginalBytes = 100 * 1024 * 1024;

/** As many of its first bytes tell what kind of picture it is. */
export const tellingBytes = 4100;
