/** A table in GitHub's Markdown. A `|` in a cell is escaped, because it would end the cell. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(header), `|${'---|'.repeat(header.length)}`, ...rows.map(line)].join('\n');
}

/** Words in code spans, separated by commas. */
export const codes = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(', ');

/**
 * Replaces the text between `<!-- <name>:begin -->` and `<!-- <name>:end -->`.
 *
 * @throws Error if the page does not have both comments, in this order.
 */
export function replaceBetween(page: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`expected ${begin} and ${end} in the page`);
  return `${page.slice(0, from + begin.length)}\n\n${content}\n\n${page.slice(to)}`;
}
