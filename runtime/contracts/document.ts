import type { StandardSchemaV1 } from '@standard-schema/spec';
import { cloudEventParts } from './cloud-event-schema.ts';
import type { Contract } from './contract.ts';
import { type Json, reference } from './document-types.ts';
import { jsonSchemaOf, placedAt } from './json-schema.ts';
import { parametersOf, parameterValues } from './key.ts';
import { idOf, type Route } from './routes.ts';

export interface DocumentInfo {
  title: string;
  version: string;
}

/** Version of the AMQP 0-9-1 bindings for AsyncAPI. */
const bindingVersion = '0.3.0';

/**
 * Describes contracts as an AsyncAPI 3.1 document: a channel for each exchange and key, a message with its schema for each contract,
 * and an operation for each queue that gets it and for the service that sends it.
 *
 * @throws WarrenError ERR_CONFIG if a schema cannot be expressed as JSON Schema.
 */
export function asyncapiDocument(info: DocumentInfo, routes: readonly Route[]): Json {
  const channels = routes.map((route): [string, Json] => {
    const id = channelOf(route);
    const others = routes.filter((each) => channelOf(each) === id);
    return [id, channel(route, others)];
  });
  const replies = routes.flatMap(({ contract }) =>
    contract.reply ? [{ contract, reply: contract.reply }] : [],
  );
  return {
    asyncapi: '3.1.0',
    info,
    defaultContentType: 'application/json',
    channels: Object.fromEntries([...channels, ...replies.map(replyChannel)]),
    operations: Object.fromEntries(routes.flatMap(operations)),
    components: {
      messages: Object.fromEntries([...routes.map(message), ...replies.map(replyMessage)]),
      schemas: Object.fromEntries([...routes.map(schema), ...replies.map(replySchema)]),
    },
  };
}

/** Contracts with the same exchange and key share a channel, so that a client sees all versions at one place. */
const channelOf = ({ contract: { exchange, key } }: Route) =>
  [exchange || 'default', key]
    .filter(Boolean)
    .join('.')
    .replaceAll(/[{}]/g, '')
    .replaceAll(/[^\w.-]/g, '_');

const replyOf = (contract: Contract) => `${idOf(contract)}.reply`;

interface Replied {
  contract: Contract;
  reply: StandardSchemaV1;
}

/** @param routes all contracts with this exchange and key. */
function channel({ contract: { exchange, key }, type }: Route, routes: readonly Route[]): Json {
  const names = parametersOf(key);
  const keys = routes.flatMap(
    (each) => (each.contract.kind === 'message' && each.contract.keyExamples) || [],
  );
  const parameterOf = (name: string) => {
    const examples = [...new Set(keys.flatMap((each) => parameterValues(key, each)?.[name] ?? []))];
    return { description: 'One word without a dot.', ...(examples.length > 0 && { examples }) };
  };
  return {
    address: key,
    messages: Object.fromEntries(
      routes.map((each) => [idOf(each.contract), reference('components', 'messages', idOf(each.contract))]),
    ),
    ...(names.length > 0 && {
      parameters: Object.fromEntries(names.map((name) => [name, parameterOf(name)])),
    }),
    bindings: {
      amqp: {
        is: 'routingKey',
        exchange:
          exchange === '' ? { name: '', type } : { name: exchange, type, durable: true, autoDelete: false },
        bindingVersion,
      },
    },
  };
}

function replyChannel({ contract }: Replied): [string, Json] {
  const id = replyOf(contract);
  const description = 'The default exchange, with the `reply_to` of the message as routing key.';
  return [id, { address: null, description, messages: { [id]: reference('components', 'messages', id) } }];
}

function operations(route: Route): [string, Json][] {
  const { contract, queues } = route;
  const id = idOf(contract);
  const common = {
    channel: reference('channels', channelOf(route)),
    messages: [reference('channels', channelOf(route), 'messages', id)],
    ...(contract.reply && { reply: replyOperation(contract) }),
  };
  const received = queues.map(({ queue, functions }): [string, Json] => [
    `receive.${id}.${queue}`,
    {
      action: 'receive',
      ...common,
      bindings: { amqp: { ack: true, bindingVersion } },
      'x-warren-queue': queue,
      'x-warren-functions': functions,
    },
  ]);
  const amqp = { deliveryMode: contract.kind === 'call' ? 1 : 2, mandatory: true, bindingVersion };
  const sent: [string, Json] = [`send.${id}`, { action: 'send', ...common, bindings: { amqp } }];
  const { from = 'both' } = contract;
  return [...(from === 'service' ? [] : received), ...(from === 'clients' ? [] : [sent])];
}

function replyOperation(contract: Contract): Json {
  const id = replyOf(contract);
  return {
    address: { location: '$message.header#/reply_to' },
    channel: reference('channels', id),
    messages: [reference('channels', id, 'messages', id)],
  };
}

function message({ contract }: Route): [string, Json] {
  const { name, type, summary, description, examples = [] } = contract;
  const id = idOf(contract);
  const payload = reference('components', 'schemas', id);
  const { cloudEvents: event, headers } = contract.kind === 'message' ? contract : {};
  const amqp = { ...(type !== undefined && { messageType: type }), bindingVersion };
  const isAnswered = contract.reply !== undefined;
  return [
    id,
    {
      name,
      ...(summary !== undefined && { summary }),
      ...(description !== undefined && { description }),
      contentType: 'application/json',
      ...(isAnswered && { correlationId: { location: '$message.header#/correlation_id' } }),
      payload,
      ...(examples.length > 0 && { examples: examples.map((each) => ({ payload: each })) }),
      ...(headers && { headers }),
      ...(event && cloudEventParts(event, { type: type ?? name, payload, examples, headers })),
      bindings: { amqp },
    },
  ];
}

function replyMessage({ contract }: Replied): [string, Json] {
  const id = replyOf(contract);
  const contentType = (contract.kind === 'call' && contract.replyContentType) || 'application/json';
  const correlationId = { location: '$message.header#/correlation_id' };
  return [id, { name: id, contentType, correlationId, payload: reference('components', 'schemas', id) }];
}

const placed = (id: string, made: unknown): [string, Json] => [
  id,
  placedAt(made, reference('components', 'schemas', id).$ref) as Json,
];

function schema({ contract }: Route): [string, Json] {
  return placed(idOf(contract), jsonSchemaOf(contract.name, contract.schema, contract.jsonSchema));
}

function replySchema({ contract, reply }: Replied): [string, Json] {
  const given = contract.kind === 'call' ? contract.replyJsonSchema : undefined;
  return placed(replyOf(contract), jsonSchemaOf(`${contract.name} (reply)`, reply, given));
}
