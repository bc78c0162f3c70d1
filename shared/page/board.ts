import { resource, urlField } from 'warren/functions';
import * as z from 'zod';

/** Settings of the page's links to the board. */
export const boardLinkSettings = () =>
  z.object({
    BOARD_URL: urlField(['http:', 'https:'], 'https://board.example.com')
      .optional()
      .describe('address of the board, to which the queues of the page link; without it, they are no links'),
  });

/** Address of the board, without a slash at its end; undefined without one. */
export const boardUrl = resource(boardLinkSettings, ({ BOARD_URL }) => BOARD_URL?.replace(/\/+$/, ''));
