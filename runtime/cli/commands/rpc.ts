import { type Command, InvalidArgumentError } from 'commander';
import { RpcClient, type RpcReply } from '../../amqp/rpc-client.ts';
import { DeadlineError, UnroutableError } from '../../base/errors.ts';
import { parseJson, stringifyJson } from '../../base/json.ts';
import { jsonOrText, print } from '../context.ts';
import { brokerUrl, vhostOption } from '../vhosts.ts';

export function register(program: Command): void {
  program
    .command('rpc')
    .description('call an RPC method and print its reply')
    .argument('<method>', 'name of the method, such as ping or describe-order')
    .argument('[body]', 'the request as JSON; for ping the default is this client and the time')
    .option('-t, --timeout <seconds>', 'time limit for the reply', seconds, 5)
    .addOption(vhostOption())
    .addHelpText(
      'after',
      `
Examples:
  warren rpc ping
  warren rpc describe-order '{"id": 7}'`,
    )
    .action(
      async (
        method: string,
        body: string | undefined,
        { timeout, vhost }: { timeout: number; vhost?: string },
        command: Command,
      ) => {
        const client = new RpcClient({ url: brokerUrl(vhost), name: `warren rpc ${method}` });
        const request =
          body === undefined ? { client_name: 'warren rpc', time: Date.now() / 1000 } : jsonOrText(body);
        try {
          const startedAt = performance.now();
          const reply = await client.call(method, request, { timeoutMs: timeout * 1000 });
          const ms = Number((performance.now() - startedAt).toFixed(1));
          const body = exactBody(reply);
          const answer = typeof body === 'string' ? body : stringifyJson(body, 2);
          print(command, { ...reply, body, ms }, () => `${answer}\n(${ms} ms)`);
          if (reply.type === 'error') process.exitCode = 1;
        } catch (error) {
          if (!(error instanceof UnroutableError || error instanceof DeadlineError)) throw error;
          const text = error instanceof UnroutableError ? `no such method: ${method}` : error.message;
          print(command, { error: text }, () => text);
          process.exitCode = 1;
        } finally {
          await client.close();
        }
      },
    );
}

/** The body of a reply, whose numbers keep their digits. */
function exactBody({ body, content }: RpcReply): unknown {
  const isValue = typeof body !== 'string' && !Buffer.isBuffer(body);
  return isValue ? parseJson(content.toString(), { exact: true }) : body;
}

function seconds(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 3600) return value;
  throw new InvalidArgumentError('expected seconds, from above 0 to 3600');
}
