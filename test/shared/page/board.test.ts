import { describe, expect, it } from 'vitest';
import { openResources } from '../../../runtime/resources/lambda.ts';
import { boardUrl } from '../../../shared/page/board.ts';

describe('the address of the board', () => {
  const open = async (BOARD_URL?: string) => (await openResources({ board: boardUrl }, { BOARD_URL })).board;

  it('links: the address has no slash at its end, because the page appends a path', async () => {
    expect(await open('https://board.example.com')).toBe('https://board.example.com');
    expect(await open('https://example.com/board//')).toBe('https://example.com/board');
  });

  it('links: a deployment without a board, or with an empty variable, has no address', async () => {
    expect([await open(), await open('')]).toEqual([undefined, undefined]);
  });

  it('links: an address that a browser would run as a script is refused when the function starts', async () => {
    await expect(open('javascript:alert(1)')).rejects.toThrow(/BOARD_URL: expected/);
  });
});
