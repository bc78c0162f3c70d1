import { type Logger, pino } from 'pino';

/** What modules that log ask for: `log.info({ queue, messageId }, 'text')`. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/**
 * A structured log: one JSON object a line on standard output, which CloudWatch and every log collector read as it is.
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

/** Logs nothing; the default of modules that can do without. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing() {}
