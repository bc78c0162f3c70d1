import stringWidth from 'string-width';

/** Most cells are ASCII, whose width is their length. */
const isPlain = (text: string) => /^[ -~]*$/.test(text);
const widthOf = (text: string) => (isPlain(text) ? text.length : stringWidth(text));

/**
 * Formats a table for the terminal as plain lines, which can be copied into a mail.
 *
 * @param rows a cell may have several lines.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = rows.flatMap(linesOf);
  const widths = head.map((name, column) =>
    lines.reduce((width, line) => Math.max(width, widthOf(line[column] ?? '')), widthOf(name)),
  );
  const rule = (left: string, middle: string, right: string) =>
    left + widths.map((width) => '─'.repeat(width + 2)).join(middle) + right;
  const line = (cells: readonly string[]) =>
    `│${widths.map((width, column) => padded(cells[column] ?? '', width)).join('│')}│`;
  const body = lines.length > 0 ? [rule('├', '┼', '┤'), ...lines.map(line)] : [];
  return [rule('┌', '┬', '┐'), line(head), ...body, rule('└', '┴', '┘')].join('\n');
}

const padded = (text: string, width: number) => ` ${text}${' '.repeat(width - widthOf(text) + 1)}`;

/** Returns the lines of a row, of which each has all columns. */
function linesOf(row: readonly string[]): string[][] {
  const cells = row.map((cell) => cell.split('\n'));
  const height = Math.max(1, ...cells.map(({ length }) => length));
  return Array.from({ length: height }, (_, n) => cells.map((lines) => lines[n] ?? ''));
}
