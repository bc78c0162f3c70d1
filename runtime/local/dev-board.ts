import type { Log } from '../base/log.ts';
import type { Manifest } from '../hosts/manifest.ts';

export interface DevBoardOptions {
  /** AMQP URL of the broker. */
  url: string;
  managementUrl: string | undefined;
  /** 0 for any. */
  port: number;
  /** The service whose topology it shows. */
  manifest: Manifest | undefined;
  /** Mistakes of the project that are not mended. */
  problems: () => string[];
  log: Log;
}

/**
 * Starts the board of a project whose functions run in this process.
 *
 * @throws WarrenError ERR_PORT_TAKEN if the port is taken.
 */
export async function startDevBoard({ manifest, ...options }: DevBoardOptions) {
  const { url, managementUrl } = options;
  const [{ Board }, { lettersOf }, { viewService }] = await Promise.all([
    import('../board/board.ts'),
    import('../board/letters.ts'),
    import('../board/live/service-view.ts'),
  ]);
  const letters = await lettersOf(url, { managementUrl });
  const board = new Board({ ...options, letters, service: manifest && viewService(url, manifest) });
  await board.start();
  return board;
}
