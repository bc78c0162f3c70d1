import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { confirm } from '../../../runtime/cli/confirm.ts';

it.each([
  ['y\n', true],
  [' YES \n', true],
  ['n\n', false],
  ['\n', false],
  ['yesterday\n', false],
])('confirm: the answer %j means %j', async (answer, yes) => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  input.write(answer);
  expect(await confirm('Delete 1 for good? [y/N] ', { input, output })).toBe(yes);
  expect(String(output.read())).toContain('Delete 1 for good?');
});

it('confirm: a closed terminal means no', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const answer = confirm('Sure? ', { input, output });
  input.end();
  expect(await answer).toBe(false);
});
