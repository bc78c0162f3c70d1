import { type Logger, pino } from 'pino';

/** The log that a module receives: `log.info({ queue, messageId }, 'text')`. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** The level of a log, and the name of the function or of the host that writes it. */
export type LogSettings = { LOG_LEVEL: string } & ({ AWS_LAMBDA_FUNCTION_NAME: string } | { host: string });

/**
 * Creates a structured log: one JSON object per line on standard output, which CloudWatch and log collectors read.
 *
 * @param settings a name is logged under the key `function` or `host`. A host has its own key, because it logs the name of each
 *   function that it calls.
 */
export function createLog(settings: LogSettings): Log {
  return pino({
    level: settings.LOG_LEVEL,
    base: 'host' in settings ? { host: settings.host } : { function: settings.AWS_LAMBDA_FUNCTION_NAME },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  });
}

/** Logs nothing; the default of modules whose log is optional. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing() {}
