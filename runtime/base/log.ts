import { type Logger, pino } from 'pino';
import { escapeControls } from './visible.ts';

/** The log that a module receives: `log.info({ queue, messageId }, 'text')`. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** The level of a log, and the name of the function or of the host that writes it. */
export type LogSettings = { LOG_LEVEL: string } & ({ AWS_LAMBDA_FUNCTION_NAME: string } | { host: string });

/** Takes lines, each with its line feed: `process.stderr`, for example. */
export interface LogStream {
  write(line: string): unknown;
}

/**
 * Creates a structured log: one JSON object per line, which CloudWatch and log collectors read. Each key is there once, and
 * control characters of values are escaped.
 *
 * @param settings a name is logged under the key `function` or `host`. A host has its own key, because it logs the name of each
 *   function that it calls.
 * @param stream default standard output.
 */
export function createLog(settings: LogSettings, stream: LogStream = pino.destination(1)): Log {
  const name = 'host' in settings ? { host: settings.host } : { function: settings.AWS_LAMBDA_FUNCTION_NAME };
  const taken = new Set(['level', 'time', 'msg', ...Object.keys(name)]);
  return pino(
    {
      level: settings.LOG_LEVEL,
      base: name,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }), log: (fields) => renamed(fields, taken) },
    },
    { write: (line: string) => void stream.write(escapeControls(line)) },
  );
}

/** Many parsers refuse a line with a key twice, so that a field with a key of the line itself gets another: `level_`. */
function renamed(fields: Record<string, unknown>, taken: ReadonlySet<string>): Record<string, unknown> {
  const keys = Object.keys(fields);
  if (!keys.some((key) => taken.has(key))) return fields;
  return Object.fromEntries(keys.map((key) => [taken.has(key) ? `${key}_` : key, fields[key]]));
}

let standardError: Log | undefined;

/** The log of a function without a log of its own: on standard error at LOG_LEVEL, default `info`. */
export function defaultLog(env: Record<string, string | undefined> = process.env): Log {
  standardError ??= createLog(
    {
      LOG_LEVEL: env['LOG_LEVEL'] || 'info',
      AWS_LAMBDA_FUNCTION_NAME: env['AWS_LAMBDA_FUNCTION_NAME'] || 'warren',
    },
    process.stderr,
  );
  return standardError;
}

/** Logs nothing; the default of modules whose log is optional. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing() {}
