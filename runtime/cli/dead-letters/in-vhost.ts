import type { Vhost } from '../vhosts.ts';

/** Something of the dead letters of a virtual host. */
export type InVhost<Thing> = Thing & { vhost: string };

/** Adds the virtual host. */
export const withVhost =
  ({ name }: Pick<Vhost, 'name'>) =>
  <Thing extends object>(thing: Thing): InVhost<Thing> => ({ ...thing, vhost: name });
