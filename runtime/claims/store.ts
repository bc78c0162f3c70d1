/** Stores the bodies that are too large for a message. `s3Claims` makes one of a bucket. */
export interface ClaimStore {
  /** Stores a body under a new key. */
  put(key: string, body: Buffer): Promise<void>;
  /**
   * Returns a body.
   *
   * @param maxBytes size that the caller takes; a larger body need not be read.
   * @returns undefined if there is none under this key.
   */
  get(key: string, maxBytes: number): Promise<Buffer | undefined>;
  /** Removes the bodies that were stored before a time. @returns their number. */
  remove(before: Date): Promise<number>;
}

/** What a message with the header `x-warren-claim` has in place of its body. */
export interface Claim {
  /** `yyyy-mm-dd/<uuid>`. */
  claim: string;
  bytes: number;
  /** Of the body, in hexadecimal digits. */
  sha256: string;
}

/** Version of the claim, the value of its header. */
export const claimVersion = 1;
