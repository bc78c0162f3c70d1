import { type Logger, pino } from 'pino';

/** The log that a module receives: `log.info({ queue, messageId }, 'text')`. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/**
 * Creates a structured log: one JSON object per line on standard output, which CloudWatch and log collectors read.
 *
 * @param settings `LOG_LEVEL` and the name of the function that logs.
 */
export function createLog(settings: { LOG_LEVEL: string; AWS_LAMBDA_FUNCTION_NAME: string }): Log {
  return pino({
    level: settings.LOG_LEVEL,
    base: { function: settings.AWS_LAMBDA_FUNCTION_NAME },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  });
}

/** Logs nothing; the default of modules whose log is optional. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing() {}
