import { setTimeout as pause } from 'node:timers/promises';

/** Unhandled messages above which a busy machine gets no more: a backlog would grow for as long as the test takes. */
const most = 100;

/**
 * Sends numbered messages, 100 a second, until it is stopped.
 *
 * @param handled returns the number of messages that are handled.
 * @returns `stop`, which returns the number of messages that were sent.
 */
export function steadyLoad(
  send: (n: number) => Promise<unknown>,
  handled: () => number,
): { stop(): Promise<number> } {
  let sent = 0;
  let known = 0;
  let over = false;
  const sending = (async () => {
    for (; !over; await pause(9)) {
      if (sent - known >= most) known = handled();
      if (sent - known >= most) continue;
      await send(sent);
      sent += 1;
    }
  })();
  return {
    async stop() {
      over = true;
      await sending;
      return sent;
    },
  };
}
