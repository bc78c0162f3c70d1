import { parseAddresses } from '../amqp/address.ts';
import { BrokerConnection } from '../amqp/connection.ts';
import { hasReplyCode } from '../amqp/reply-code.ts';
import { indexActions, type LetterActions } from '../dead-letters/actions.ts';
import { DeadLetterIndex } from '../dead-letters/dead-letter-index.ts';
import type { LetterIndex } from '../dead-letters/letter-index.ts';
import { otherActions } from '../dead-letters/others/other-actions.ts';
import { OtherLetters } from '../dead-letters/others/other-letters.ts';
import { deadLetters } from '../topology/names.ts';
import type { Source } from './api-types.ts';

/** The dead letters that a board shows. */
export interface BoardLetters {
  index: LetterIndex;
  actions: LetterActions;
  /** Their queues, whose `problem` is null unless it is about one of them. */
  sources(): Source[];
}

/**
 * The dead letters of a virtual host: of a Warren project by their index, else those of other clients.
 *
 * @param options `queues` as `names` of `otherLetters`, also in a project; `file` as in `projectLetters`.
 */
export async function lettersOf(
  url: string,
  options: {
    managementUrl?: string | undefined;
    queues?: readonly string[] | undefined;
    file?: string | undefined;
  },
): Promise<BoardLetters> {
  const { managementUrl, queues, file } = options;
  if (queues) return otherLetters(url, managementUrl, queues);
  // A broker that is unavailable now is tried again.
  const isProject = await hasProject(url).catch(() => true);
  return isProject ? projectLetters(url, file) : otherLetters(url, managementUrl);
}

/**
 * The dead letters of a Warren project, by their index.
 *
 * @param file path of the file of the index, default none.
 */
export function projectLetters(url: string, file?: string): BoardLetters {
  const index = new DeadLetterIndex(url, { file });
  const sources = (): Source[] => [{ queue: deadLetters, kind: 'index', total: index.size, problem: null }];
  return { index, actions: indexActions(url), sources };
}

/**
 * The dead letters in queues of other clients.
 *
 * @param managementUrl default port 15672 of the broker, with the login of `url`.
 * @param names of the queues, default those to which other queues dead-letter.
 */
export function otherLetters(url: string, managementUrl?: string, names?: readonly string[]): BoardLetters {
  const index = new OtherLetters({ url, managementUrl: managementUrl ?? defaultManagementUrl(url), names });
  return { index, actions: otherActions(url, index), sources: () => [...index.queues] };
}

/**
 * Whether the virtual host has the dead letters of a Warren project.
 *
 * @throws UnavailableError if the broker is unavailable, WarrenError ERR_BROKER_REFUSED if it refuses the login.
 */
export async function hasProject(url: string): Promise<boolean> {
  const connection = new BrokerConnection({ url, name: 'warren board' });
  try {
    const channel = await connection.channel();
    await channel.checkQueue(deadLetters);
    return true;
  } catch (error) {
    if (hasReplyCode(error, 404)) return false;
    // Without the right to the queue, it exists.
    if (hasReplyCode(error, 403)) return true;
    throw error;
  } finally {
    await connection.close();
  }
}

/** The address of RabbitMQ's management API if nothing else is known. */
function defaultManagementUrl(url: string): string {
  const [address] = parseAddresses(url);
  const login = [address?.username, address?.password].map((each) => encodeURIComponent(each ?? ''));
  const host = address?.host ?? 'localhost';
  return `http://${login.join(':')}@${host.includes(':') ? `[${host}]` : host}:15672`;
}
