import { type Shift, shifts } from './release-field.ts';
import { type Section, topologyError } from './schema.ts';

/** How deployed functions are released. */
export interface Release {
  /** Name of the alias that everything calls. */
  alias: string;
  shift: Shift;
}

/**
 * How a deployment releases its functions; undefined without `custom.warren.release`.
 *
 * @param section with serverless's variables resolved.
 * @throws WarrenError ERR_TOPOLOGY for a shift that CodeDeploy does not know.
 */
export function deployedRelease({ release }: Section): Release | undefined {
  if (release === undefined) return undefined;
  const shift = shifts.find((each) => each === release.shift);
  if (shift !== undefined) return { alias: release.alias, shift };
  const text = `custom.warren.release.shift: expected one of ${shifts.join(', ')}, got "${release.shift}"`;
  throw topologyError([{ path: ['custom', 'warren', 'release', 'shift'], text }]);
}
