import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Arguments with which Erlang's distribution listens on this machine only. */
export const thisMachineOnly = ['-kernel', 'inet_dist_use_interface', '{127,0,0,1}'];

/** Milliseconds for an answer of the node. */
const answerMs = 5000;

/**
 * Ends the statistics of the management plugin in a node that is going to be stopped. The plugin ends them also when RabbitMQ stops, but
 * asks parts that are stopping then, and RabbitMQ waits five seconds for it.
 *
 * @param node name and host of the node. If it cannot be reached, nothing happens.
 * @param env with the home folder of the node's cookie.
 */
export async function endStatistics(node: string, env: Record<string, string | undefined>): Promise<void> {
  const handler = '[rabbit_event, rabbit_mgmt_db_handler, []]';
  const end = `rpc:call('${node}', gen_event, delete_handler, ${handler}, ${answerMs}), halt(0).`;
  const [name, host] = node.split('@');
  // An epmd would outlive this.
  const names = ['-sname', `${name}-stop-${process.pid}@${host}`, '-start_epmd', 'false'];
  const args = ['-noinput', '-hidden', ...names, ...thisMachineOnly, '-eval', end];
  await promisify(execFile)('erl', args, { env, timeout: 2 * answerMs }).catch(() => undefined);
}
