import { vi } from 'vitest';

/** The lines that a function without a log writes on standard error. */
export async function errorLines(run: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    await run();
    return write.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>);
  } finally {
    write.mockRestore();
  }
}
