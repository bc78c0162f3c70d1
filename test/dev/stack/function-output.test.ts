import { describe, expect, it } from 'vitest';
import { functionOutput } from '../../../dev/stack/function-output.ts';

const shown = (...lines: readonly string[]) => {
  const output = functionOutput();
  return lines.flatMap((line) => output(line) ?? []);
};
const entry = (fields: object) => JSON.stringify({ level: 'info', function: 'warren-dev-ping', ...fields });

describe('what functions print, made readable', () => {
  it('is a line for each entry, without what people can do without', () => {
    expect(shown(entry({ msg: 'batch done', messages: 1, time: 1, pid: 2 }))).toEqual([
      'ping: batch done messages=1',
    ]);
    expect(shown(entry({ level: 'error', msg: 'failed', err: { message: 'no', stack: 'at' } }))).toEqual([
      'ping: ERROR failed err=no',
    ]);
  });

  it('prints once that parallel consumers have started, and again if they restart after a loss', () => {
    const consuming = entry({ msg: 'consuming', queue: 'ping' });
    const lost = entry({ level: 'warn', msg: 'the connection is lost' });
    expect(shown(consuming, consuming, consuming, lost, consuming, consuming)).toEqual([
      'ping: consuming queue=ping',
      'ping: WARN the connection is lost',
      'ping: consuming queue=ping',
    ]);
  });

  it('prints everything else as often as it occurs', () => {
    const failed = entry({ level: 'error', msg: 'failed' });
    expect(shown(failed, failed)).toHaveLength(2);
  });

  it('omits lines for CloudWatch and messages of other programs', () => {
    expect(shown('{"_aws":{"Timestamp":1},"DeadLetters":0}', '', '  * ping: warren-dev-ping')).toEqual([]);
    expect(shown('(λ: ping) RequestId: 1f  Duration: 12.34 ms  Billed Duration: 13 ms')).toEqual([
      'ping: 12 ms',
    ]);
  });
});
