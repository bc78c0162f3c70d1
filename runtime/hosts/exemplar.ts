import { headerText } from '../amqp/header-text.ts';

/** W3C Trace Context of a trace that was sampled: one that was not is in no backend. */
const sampled = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f][13579bdf](-|$)/;

/** The labels of an exemplar: the sampled trace that headers carry, or none. */
export function exemplarLabels(headers: Readonly<Record<string, unknown>> = {}): Record<string, string> {
  const [, trace_id, span_id] = sampled.exec(headerText(headers['traceparent']) ?? '') ?? [];
  return trace_id === undefined || span_id === undefined ? {} : { trace_id, span_id };
}
