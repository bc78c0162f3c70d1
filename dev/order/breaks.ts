import type { Topology } from '../../runtime/topology/compile.ts';
import { hashExchangeType } from '../../runtime/topology/partitions.ts';
import { projectFile } from '../stack/project.ts';

/** A promise of `orderBy` that is broken on purpose. */
export interface Break {
  /** The counts that have to notice, all of them. */
  noticedBy: readonly string[];
  /** Changes what is declared at the broker. */
  topology?: (topology: Topology) => Topology;
  /** A module that workers load first. */
  preload?: string;
}

const order = 'messages in the order of their customer';
const alone = 'messages of a customer at a time';

export const breaks: Readonly<Record<string, Break>> = {
  'several-active-consumers': {
    noticedBy: [alone],
    topology: (topology) => ({
      ...topology,
      queues: topology.queues.map(({ arguments: { 'x-single-active-consumer': _, ...args }, ...queue }) => {
        return { ...queue, arguments: args };
      }),
    }),
  },
  'divided-by-message': {
    noticedBy: [order, alone],
    topology: (topology) => ({
      ...topology,
      exchanges: topology.exchanges.map((exchange) =>
        exchange.type === hashExchangeType
          ? { ...exchange, arguments: { 'hash-property': 'message_id' } }
          : exchange,
      ),
    }),
  },
  'no-lanes': { noticedBy: [order, alone], preload: projectFile('dev/order/break/no-lanes.ts') },
  'copied-retry': { noticedBy: [order], preload: projectFile('dev/order/break/copied-retry.ts') },
};
