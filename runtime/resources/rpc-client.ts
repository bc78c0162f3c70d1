import { RpcClient } from '../amqp/rpc-client.ts';
import { brokerSettings } from '../settings/sections.ts';
import { resource } from './resource.ts';

/** Calls methods over RPC through the broker at AMQP_URL; connects at its first call. */
export const rpcClient = resource(
  brokerSettings,
  ({ AMQP_URL }, { name, reread }) =>
    new RpcClient({ url: AMQP_URL, name, renewUrl: async () => (await reread()).AMQP_URL }),
);
