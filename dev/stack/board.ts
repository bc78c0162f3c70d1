import { join } from 'node:path';
import { createLog } from '../../runtime/base/log.ts';
import { readMappings } from '../../runtime/event-source/mapping.ts';
import { readService, serviceTopology } from '../../runtime/topology/service-file.ts';
import type { Part, StackContext } from './context.ts';
import { projectFile } from './project.ts';
import type { StackEnv } from './stack-env.ts';

type BoardEnv = Pick<StackEnv, 'AMQP_URL' | 'AMQP_MANAGEMENT_URL' | 'BOARD_URL'>;

/**
 * Starts the board without waiting for it, because its page is bundled first. A board that does not start is reported, and nothing else
 * depends on it.
 */
export function beginBoard(env: BoardEnv, { dataDir, report, signal }: StackContext): Part {
  const starting = startBoard(env, dataDir);
  // An interrupt at the terminal also ends the bundler.
  const announce = (text: string) => signal.aborted || report('board', text);
  starting.then(
    () => announce(`ready: ${env.BOARD_URL}`),
    (error: Error) => announce(`not started: ${error.message}`),
  );
  return {
    env: {},
    address: env.BOARD_URL,
    stop: async () => void (await starting.then((board) => board.stop()).catch(() => undefined)),
  };
}

async function startBoard({ AMQP_URL: url, AMQP_MANAGEMENT_URL, BOARD_URL }: BoardEnv, dataDir: string) {
  const [{ Board }, { lettersOf }] = await Promise.all([
    import('../../runtime/board/board.ts'),
    import('../../runtime/board/letters.ts'),
  ]);
  const managementUrl = AMQP_MANAGEMENT_URL || undefined;
  const service = await readService(projectFile('serverless.yml'));
  const functions = new Map<string, string[]>();
  for (const { queue, functionName } of readMappings(service.functions, service.section))
    functions.set(queue, [...(functions.get(queue) ?? []), functionName]);
  const board = new Board({
    url,
    managementUrl,
    port: Number(new URL(BOARD_URL).port),
    letters: await lettersOf(url, { managementUrl }),
    service: { topology: serviceTopology(service), functions },
    auditFile: join(dataDir, 'board-audit.jsonl'),
    log: createLog({ LOG_LEVEL: process.env['LOG_LEVEL'] || 'warn', host: 'board' }),
  });
  await board.start();
  return board;
}
