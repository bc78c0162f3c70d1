import { Publisher } from '../amqp/publisher.ts';
import { brokerSettings } from '../settings/sections.ts';
import { resource } from './resource.ts';

/** Publishes with confirms to the broker at AMQP_URL; connects at its first message. */
export const publisher = resource(
  brokerSettings,
  ({ AMQP_URL }, { name, reread }) =>
    new Publisher({ url: AMQP_URL, name, renewUrl: async () => (await reread()).AMQP_URL }),
);
