import { startBroker } from './broker.ts';
import type { Part, StackContext } from './context.ts';
import type { StackEnv } from './stack-env.ts';

/** How a part comes up. */
export interface Plan {
  start(context: StackContext): Promise<Part>;
  /** Brings a part that is up into the state that the functions expect, and returns what is there, for people. */
  fill?(env: Partial<StackEnv>): Promise<string>;
}

/** Loads what fills the parts. */
export const prepare = () => import('./prepare.ts');

export const brokerPlan: Plan = {
  start: startBroker,
  fill: async (env) => (await prepare()).fillBroker(env),
};

/**
 * The parts beside the broker, which takes the longest. They are loaded when they start, because loading the packages of all parts
 * takes longer than starting the broker's program.
 */
export const plans: Record<string, Plan> = {
  database: {
    start: async (context) => (await import('./database.ts')).startDatabase(context),
    fill: async (env) => (await prepare()).fillDatabase(env),
  },
  storage: {
    start: async (context) => (await import('./storage.ts')).startStorage(context),
    fill: async (env) => (await prepare()).fillStorage(env),
  },
  mail: {
    start: async (context) => (await import('./mail.ts')).startMail(context),
  },
};

/** A plan that also resolves `spawned` when its part has started a program. */
export function untilSpawned({ start, ...plan }: Plan): { plan: Plan; spawned: Promise<void> } {
  let resolve: () => void = () => undefined;
  const spawned = new Promise<void>((done) => {
    resolve = done;
  });
  const spawn =
    (context: StackContext): StackContext['spawn'] =>
    (settings) => {
      resolve();
      return context.spawn(settings);
    };
  return { spawned, plan: { ...plan, start: (context) => start({ ...context, spawn: spawn(context) }) } };
}
