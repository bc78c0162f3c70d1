import { describe, expect, it } from 'vitest';
import { createLog, type Log } from '../../../runtime/base/log.ts';

/** Runs on a log and returns its lines. */
const linesOf = (
  write: (log: Log) => void,
  name: { host: string } | { AWS_LAMBDA_FUNCTION_NAME: string },
) => {
  const lines: string[] = [];
  write(createLog({ LOG_LEVEL: 'debug', ...name }, { write: (line) => lines.push(line) }));
  return lines;
};
const keysOf = (line: string) => [...line.matchAll(/[{,]"([^"]+)":/g)].map(([, key]) => key);

describe('log', () => {
  it('log: a field with a key of the line itself gets another key, so that each key is there once', () => {
    const fields = { function: 'f', host: 'h', level: 'l', time: 't', msg: 'm' };
    const [line = ''] = linesOf((log) => log.info(fields, 'text'), { host: 'worker' });
    const keys = keysOf(line);
    expect(new Set(keys).size).toBe(keys.length);
    expect(JSON.parse(line)).toMatchObject({
      level: 'info',
      host: 'worker',
      host_: 'h',
      function: 'f',
      msg_: 'm',
      msg: 'text',
    });
  });

  it('log: control characters of values are escaped, and the line is JSON with the same value', () => {
    const messageId = 'm\u001b[2J\u009b2J\u007f\u202e\u2028\r\n';
    const [line = ''] = linesOf((log) => log.error({ messageId }, 'text'), { AWS_LAMBDA_FUNCTION_NAME: 'f' });
    expect(line.trimEnd()).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(line)).toMatchObject({ function: 'f', messageId });
  });
});
