import { Requester } from '../amqp/requester.ts';
import { brokerSettings } from '../settings/sections.ts';
import { resource } from './resource.ts';

/** Publishes messages to the broker at AMQP_URL and waits a moment for their answers; connects at its first message. */
export const requester = resource(
  brokerSettings,
  ({ AMQP_URL }, { name, reread }) =>
    new Requester({ url: AMQP_URL, name, renewUrl: async () => (await reread()).AMQP_URL }),
);
