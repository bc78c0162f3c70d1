import { readEach } from '../../runtime/dead-letters/visit.ts';
import type { Scene } from './fault.ts';
import type { Work } from './requests.ts';
import { readRuns } from './runs.ts';

/** Returns whether each of these messages has begun so often. */
export const begun = async ({ parts }: Scene, ids: readonly string[], times = 1) => {
  const runs = await readRuns(parts.folder);
  return ids.every((id) => (runs.get(id)?.begun.length ?? 0) >= times);
};
export const done = async ({ parts }: Scene, ids: readonly string[]) => {
  const runs = await readRuns(parts.folder);
  return ids.every((id) => (runs.get(id)?.done.length ?? 0) > 0);
};
export const someDone = async ({ parts }: Scene, ids: readonly string[]) => {
  const runs = await readRuns(parts.folder);
  return ids.some((id) => (runs.get(id)?.done.length ?? 0) > 0);
};
export const isDead = async ({ parts }: Scene, ids: readonly string[]) => {
  const missing = new Set(ids);
  await readEach(parts.direct.AMQP_URL, { id: ids }, ({ id }) => {
    missing.delete(id);
    return missing.size > 0;
  });
  return missing.size === 0;
};

export const settled = async (scene: Scene, ids: readonly string[]) => {
  const runs = await readRuns(scene.parts.folder);
  return isDead(
    scene,
    ids.filter((id) => !runs.get(id)?.done.length),
  );
};

export const sendMany = (
  { requests }: Scene,
  count: number,
  queue: string,
  each: Work,
  end: 'done' | 'either',
) => Promise.all(Array.from({ length: count }, () => requests.send(queue, each, end)));

let gates = 0;
/** The name of a gate that no other message has. */
export const newGate = () => {
  gates += 1;
  return `gate-${gates}`;
};
