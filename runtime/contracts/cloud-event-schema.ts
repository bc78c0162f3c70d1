import type { CloudEventSettings } from './cloud-events.ts';
import type { Json, Reference } from './document-types.ts';

interface EventParts {
  type: string;
  payload: Reference;
  examples: readonly unknown[];
  headers: Json | undefined;
}

/** The parts of a message's description that differ for a CloudEvent. */
export function cloudEventParts(
  { source, mode = 'binary', type: own }: CloudEventSettings,
  { type, payload, examples, headers }: EventParts,
): Json {
  const attributes = {
    specversion: { const: '1.0' },
    id: { type: 'string', minLength: 1 },
    source: { const: source },
    type: { const: own ?? type },
    time: { type: 'string', format: 'date-time' },
  };
  const required = ['specversion', 'id', 'source', 'type'];
  if (mode === 'binary') {
    const prefixed = Object.entries(attributes).map(([name, schema]) => [`cloudEvents_${name}`, schema]);
    const own = {
      type: 'object',
      properties: Object.fromEntries(prefixed),
      required: required.map((name) => `cloudEvents_${name}`),
    };
    return { headers: headers ? { allOf: [headers, own] } : own };
  }
  const fixed = { specversion: '1.0', id: '1', source, type: own ?? type };
  return {
    contentType: 'application/cloudevents+json',
    payload: {
      type: 'object',
      properties: { ...attributes, datacontenttype: { const: 'application/json' }, data: payload },
      required: [...required, 'data'],
    },
    ...(examples.length > 0 && { examples: examples.map((data) => ({ payload: { ...fixed, data } })) }),
  };
}
