import { parseArgs } from 'node:util';
import { readProse } from './files.ts';
import { measure } from './measure.ts';
import { failures, listing, table, toJson } from './report.ts';

const usage = `Usage: node --import tsx dev/prose/check.ts [--all] [--json] [--files <path>...]

Measures the prose of this folder per 1,000 words and lists what exceeds the limits.

  --all              list every occurrence, also in categories below their limits
  --json             print rates and occurrences as JSON
  --files <path>...  measure only these files, path prefixes or quoted globs, and list every occurrence
  --help             print this text

Exit code: 0 within the limits, 1 above a limit or with a banned word, 2 if there is nothing to measure.
`;

/** What the command needs of its process. */
export interface CommandContext {
  /** Folder to measure, inside a work tree of Git. */
  readonly folder: string;
  /** Receives the output, in lines that end with a line break. */
  readonly write: (text: string) => void;
}

/**
 * Runs the check.
 * @param args arguments after the script's name
 * @returns exit code
 * @throws TypeError if an option is unknown
 */
export async function runCheck(args: readonly string[], { folder, write }: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      all: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      files: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    write(usage);
    return 0;
  }
  const paths = [...values.files, ...positionals];
  const files = await readProse(folder, paths);
  if (files.length === 0) {
    write('no file to measure\n');
    return 2;
  }
  const measurement = measure(files);
  const failed = failures(measurement);
  const shown = values.all || paths.length > 0 ? measurement.findings : failed;
  if (values.json) {
    write(`${JSON.stringify(toJson(measurement, shown), null, 2)}\n`);
  } else {
    const lines = [...listing(shown), ...(shown.length > 0 ? [''] : []), ...table(measurement)];
    write(`${lines.join('\n')}\n`);
  }
  return failed.length > 0 ? 1 : 0;
}
