import { afterAll, beforeAll } from 'vitest';
import { silentLog } from '../../runtime/base/log.ts';
import { Board, type BoardOptions } from '../../runtime/board/board.ts';
import { openVhost, type TestVhost } from './vhost.ts';

/** A board without its page, on a virtual host of its own. */
export interface BoardApi {
  vhost: TestVhost;
  /** Address of its API. */
  base: string;
}

/** Opens it with the queues `shop` and `bank` before the tests of a file, and closes it after them. */
export function boardApi(options: Partial<BoardOptions> = {}): BoardApi {
  let [vhost, board]: [TestVhost?, Board?] = [];
  beforeAll(async () => {
    vhost = await openVhost({ deadLetterIndex: true, queues: { shop: {}, bank: {} } });
    board = new Board({ url: vhost.url, port: 0, page: new Map(), log: silentLog, ...options });
    await board.start();
  });
  afterAll(async () => {
    await board?.stop();
    await vhost?.close();
  });
  return {
    get vhost() {
      if (!vhost) throw new Error('the board is open only while the tests run');
      return vhost;
    },
    get base() {
      return `http://127.0.0.1:${board?.port}/api`;
    },
  };
}
