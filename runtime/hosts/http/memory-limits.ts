import { memoryLimit } from '../../base/memory.ts';

/** How much of its memory an HTTP host gives to its clients, who are strangers. */
export interface MemoryLimits {
  /** Bytes of all bodies in memory. A body is there several times while a function handles it. */
  intake: number;
  /** Bytes of all answers that their clients have not read yet. */
  unread: number;
  connections: number;
}

const maxBytes = 100_000_000;
const maxConnections = 10_000;
/** Memory that a connection takes while its headers arrive (measured: 10 kB, and 19 kB with 15 kB of headers). */
const bytesOfConnection = 20_000;

/**
 * The limits by default: a tenth of the memory for each of the three.
 *
 * @param processes number of processes that share the container.
 * @param memory of the container in bytes.
 */
export function memoryLimits(processes = 1, memory = memoryLimit()): MemoryLimits {
  const share = memory / processes / 10;
  const bytes = Math.min(maxBytes, Math.floor(share));
  return {
    intake: bytes,
    unread: bytes,
    connections: Math.min(maxConnections, Math.floor(share / bytesOfConnection)),
  };
}
