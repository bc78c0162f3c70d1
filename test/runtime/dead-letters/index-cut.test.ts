import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { DeadLetterIndex } from '../../../runtime/dead-letters/dead-letter-index.ts';
import { publishAllDead } from '../../support/dead-letters.ts';
import { openProxy } from '../../support/proxy.ts';
import { openVhost } from '../../support/vhost.ts';

/** Cuts of a connection, each at another moment of an update. With a wait that never ends, one in seven met it. */
const cuts = 60;

it('index: an update ends at whatever moment its connection is cut', { timeout: 120_000 }, async () => {
  const vhost = await openVhost({ deadLetterIndex: true, queues: { shop: {} } });
  const proxy = await openProxy(new URL(vhost.url));
  const index = new DeadLetterIndex(proxy.url);
  try {
    await publishAllDead(
      vhost.channel,
      Array.from({ length: 50 }, (_, n) => ({ queue: 'shop', id: `s${n}` })),
    );
    await index.update();
    const began = performance.now();
    await index.update();
    const ms = performance.now() - began;
    for (let n = 0; n < cuts; n += 1) {
      await index.update().catch(() => undefined);
      const updating = index.update().then(
        () => 'complete',
        () => 'failed',
      );
      await sleep((ms * n) / cuts);
      proxy.cut();
      const late = sleep(20_000, 'waits forever', { ref: false });
      expect(await Promise.race([updating, late])).not.toBe('waits forever');
    }
    // The last cut may come after the end of its update, and fail this one.
    await index.update().catch(() => undefined);
    await index.update();
    expect(index.size).toBe(50);
    await index.close();
  } finally {
    await proxy.close();
    await vhost.close();
  }
});
