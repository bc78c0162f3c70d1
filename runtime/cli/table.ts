import Table from 'cli-table3';

/** Formats a table for the terminal as plain lines, which can be copied into a mail. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const result = new Table({ head: [...head], style: { head: [], border: [], compact: true } });
  for (const row of rows) result.push([...row]);
  return result.toString();
}
