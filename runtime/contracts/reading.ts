import type { StandardSchemaV1 } from '@standard-schema/spec';
import { RejectedError, WarrenError } from '../base/errors.ts';
import type { ReceivedMessage } from '../messages/received.ts';
import { type CloudEventSettings, openedEvent } from './cloud-events.ts';

/** The part of a contract that a function reads messages with. */
export interface ReadContract<Body = unknown, Version extends number | undefined = number | undefined> {
  readonly name: string;
  readonly schema: StandardSchemaV1<unknown, Body>;
  readonly version: Version;
  /** The property `type` of its messages; undefined without a version. */
  readonly type: string | undefined;
  readonly decode?: 'json' | 'exact-json' | undefined;
  readonly jsonTypes?: readonly string[] | undefined;
  readonly cloudEvents?: CloudEventSettings | undefined;
}

/** A part of a contract that checks the body of one message. */
interface Reading {
  schema: StandardSchemaV1;
  /** The value that the schema checks. */
  value: unknown;
  version: number | undefined;
}

/**
 * Finds the contract of a message by its type, and takes the data out of a CloudEvent.
 *
 * @param decoded the decoded body.
 * @param contracts several versions, or one. A message without a type belongs to the one without a version, or else to the first.
 * @throws RejectedError if no contract has the message's type, or its content type is that of a CloudEvent, and its body is none.
 */
export function readingOf(
  message: ReceivedMessage,
  decoded: unknown,
  contracts: readonly ReadContract[],
): Reading {
  const isEvents = contracts.some(({ cloudEvents }) => cloudEvents !== undefined);
  const isExact = contracts[0]?.decode === 'exact-json';
  const event = isEvents ? openedEvent(message, decoded, isExact) : undefined;
  const { schema, version } = contractFor(message.type, event?.type, contracts);
  return { schema, version, value: event ? event.data : decoded };
}

/**
 * Checks that a function can find the contract of each message.
 *
 * @throws WarrenError ERR_CONFIG if two contracts have one type, or neither a type nor events.
 */
export function checkDistinct(contracts: readonly ReadContract[]): void {
  const marks = contracts.map(
    ({ name, type, cloudEvents }) => type ?? (cloudEvents && (cloudEvents.type ?? name)),
  );
  const second = contracts.find((_, at) => marks.indexOf(marks[at]) < at);
  if (!second) return;
  const [first] = contracts.filter((_, at) => marks[at] === marks[contracts.indexOf(second)]);
  const names = `"${first?.type ?? first?.name}" and "${second.type ?? second.name}"`;
  const expected =
    'expected another version or another type of event for each, by which messages are distinguished';
  throw new WarrenError('ERR_CONFIG', `contracts: ${expected}, got ${names}`);
}

function contractFor(
  own: string | undefined,
  eventType: string | undefined,
  contracts: readonly ReadContract[],
): ReadContract {
  const untyped = contracts.find((each) => each.version === undefined) ?? contracts[0];
  // Versions of an event may share the type of the event, and differ in the property `type`.
  const versioned = contracts.find((each) => each.type !== undefined && each.type === own);
  if (versioned) return versioned;
  const type = eventType ?? own;
  const found = type === undefined ? untyped : contracts.find((each) => typesOf(each).includes(type));
  if (found) return found;
  // Without versions the type belongs to the publisher, as in any function with a schema.
  const isOwn = untyped !== undefined && type?.startsWith(`${untyped.name}.v`);
  if (untyped && untyped.type === undefined && eventType === undefined && !isOwn) return untyped;
  const known = contracts.flatMap(typesOf).map((name) => `"${name}"`);
  throw new RejectedError(`type: expected ${[...new Set(known)].join(' or ')}, got "${type}"`);
}

const typesOf = ({ name, type = name, cloudEvents }: ReadContract): string[] => [
  type,
  ...(cloudEvents?.type === undefined ? [] : [cloudEvents.type]),
];
