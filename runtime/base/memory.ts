import { totalmem } from 'node:os';

/** Bytes of memory that this process and others in its container may use. */
export function memoryLimit(): number {
  // 0, or a number above all memory, if there is no limit. The memory of a function on Lambda is that of its machine.
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
