import { type Channel, IllegalOperationError } from 'amqplib';
import { UnavailableError } from '../base/errors.ts';

/** The methods of a channel that wait for an answer of the broker, in the order of amqplib's documentation. */
const requests = [
  'close',
  'assertQueue',
  'checkQueue',
  'deleteQueue',
  'purgeQueue',
  'bindQueue',
  'unbindQueue',
  'assertExchange',
  'checkExchange',
  'deleteExchange',
  'bindExchange',
  'unbindExchange',
  'consume',
  'cancel',
  'get',
  'prefetch',
  'recover',
] as const satisfies readonly (keyof Channel)[];

type Request = (...given: unknown[]) => Promise<unknown>;
/** OpenTelemetry's instrumentation of amqplib wraps a method, and keeps it here. */
type Wrapped = Request & { __original?: Request };

/** Text of amqplib's error for a request whose channel has ended. It has neither a class nor a code of its own. */
const endedText = 'Channel ended, no reply will be forthcoming';

/**
 * Makes each request of a channel fail with UnavailableError if its connection is lost before the answer. amqplib fails most of them with
 * plain errors then, and never ends a `close`, or a `get` of which only the first frame has come. An error of the broker stays as it is.
 */
export function reportLoss<T extends Channel>(channel: T): T {
  // Without a listener a channel error would end the process. Its 'close' event follows, and the users listen to that.
  channel.on('error', () => undefined);
  const methods = channel as unknown as Record<string, Wrapped>;
  const open = new Set<() => void>();
  channel.once('close', () => {
    const lost = [...open];
    // One turn later: the event also comes with an answer that closes the channel, which then comes first.
    setImmediate(() => {
      for (const fail of lost) fail();
    });
  });
  const failing =
    (request: Request): Request =>
    (...given) =>
      new Promise((resolve, reject) => {
        const fail = () => reject(lostChannel());
        open.add(fail);
        request
          .apply(channel, given)
          .finally(() => open.delete(fail))
          .then(resolve, (error: unknown) => reject(isLoss(error) ? lostChannel(error) : error));
      });
  for (const name of requests) {
    const request = methods[name];
    if (!request) continue;
    const { __original: original } = request;
    methods[name] = Object.assign(failing(request), original && { __original: failing(original) });
  }
  return channel;
}

const isLoss = (error: unknown): boolean =>
  error instanceof IllegalOperationError || (error instanceof Error && error.message === endedText);

const lostChannel = (cause?: unknown): UnavailableError =>
  new UnavailableError('broker', 'the connection to the broker was lost', { cause });
