import type { Contract } from './contract.ts';
import { idOf, type Route } from './routes.ts';

/** Id of the channel and of the message with the reply to a contract's messages. */
export const replyOf = (contract: Contract): string => `${idOf(contract)}.reply`;

/**
 * Names the channels. Contracts with the same exchange and key share one, so that a client sees all versions at one place. Exchanges and
 * keys may have every character, so a number distinguishes two places of one name.
 */
export function channelIds(routes: readonly Route[]): (route: Route) => string {
  const ids = new Map<string, string>();
  const taken = new Set(routes.flatMap(({ contract }) => (contract.reply ? [replyOf(contract)] : [])));
  for (const route of routes) {
    const place = placeOf(route);
    if (ids.has(place)) continue;
    const name = nameOf(route);
    let id = name;
    for (let number = 2; taken.has(id); number += 1) id = `${name}-${number}`;
    taken.add(id);
    ids.set(place, id);
  }
  return (route) => ids.get(placeOf(route)) as string;
}

const placeOf = ({ contract: { exchange, key } }: Route) => JSON.stringify([exchange, key]);

const nameOf = ({ contract: { exchange, key } }: Route) =>
  [exchange || 'default', key]
    .filter(Boolean)
    .join('.')
    .replaceAll(/[{}]/g, '')
    .replaceAll(/[^\w.-]/g, '_');
