import { z } from 'zod';

const entry = z.looseObject({
  level: z.string(),
  msg: z.string().default(''),
  function: z.string().optional(),
});

/** What a log entry carries besides its text that people can do without; the log file keeps it. */
const hidden = new Set(['level', 'msg', 'function', 'time', 'name', 'pid', 'hostname']);

/** Lines of serverless-offline and of libraries that are irrelevant to our functions. */
const noise = [
  /^\s*$/,
  /^[┌│└├─╭╰╮╯\s]+/,
  /^\(node:\d+\) Warning: NodeVersionSupportWarning/,
  /^\(Use `node --trace-warnings/,
  /^(Starting Offline|Offline \[http|Function names exposed|Server ready)/,
  /^\s*\* [\w-]+: /,
  // Metrics in CloudWatch's format, for CloudWatch.
  /^\{"_aws":/,
];

/**
 * Makes what `serverless offline` prints readable: each JSON entry of our functions becomes one line, the SDK's and
 * serverless-offline's own chatter goes.
 *
 * @returns a function that takes the output line by line; undefined means that the line is not worth showing.
 */
export function functionOutput(): (line: string) => string | undefined {
  let inWarning = false;
  let last: string | undefined;
  return (line) => {
    // The SDK's warning about Node 20 takes several lines, up to one that names a page.
    if (/NodeVersionSupportWarning/.test(line)) inWarning = true;
    if (inWarning) {
      inWarning = !/More information can be found/.test(line);
      return undefined;
    }
    if (noise.some((pattern) => pattern.test(line))) return undefined;
    if (line.startsWith('{')) {
      const [text, before] = [entryLine(line), last];
      last = text;
      // Each parallel consumer of a queue logs this line.
      return text === before && text.includes(': consuming ') ? undefined : text;
    }
    const call = /^(?:.*: )?\(λ: ([\w-]+)\) RequestId: \S+\s+Duration: ([\d.]+) ms/.exec(line);
    return call ? `${call[1]}: ${Math.round(Number(call[2]))} ms` : line;
  };
}

function entryLine(line: string): string {
  const parsed = entry.safeParse(parseJson(line));
  if (!parsed.success) return line;
  const { level, msg, function: name = '' } = parsed.data;
  const details = Object.entries(parsed.data)
    .filter(([key]) => !hidden.has(key))
    .map(([key, value]) => `${key}=${detail(value)}`);
  const what = [`${name.replace(/^warren-\w+-/, '')}:`, level === 'info' ? '' : level.toUpperCase(), msg];
  return [...what, ...details].filter((part) => part !== '').join(' ');
}

function detail(value: unknown): string {
  if (typeof value === 'string') return value;
  // An error as pino writes it: its stack is in the log file.
  if (typeof value === 'object' && value !== null && 'message' in value) return String(value.message);
  return JSON.stringify(value);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
