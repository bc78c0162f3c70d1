/** Integers of AMQP: unsigned, the most significant byte first. Buffer's own methods check each call, which takes longer. */

export function uint16(bytes: Buffer, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

export function uint32(bytes: Buffer, at: number): number {
  const low =
    ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
  return (bytes[at] as number) * 0x1000000 + low;
}

/** Rounded once, as `Number` rounds a bigint. */
export function uint64(bytes: Buffer, at: number): number {
  return uint32(bytes, at) * 0x100000000 + uint32(bytes, at + 4);
}

/** Signed; rounded as `uint64`. */
export function int64(bytes: Buffer, at: number): number {
  return (uint32(bytes, at) | 0) * 0x100000000 + uint32(bytes, at + 4);
}
