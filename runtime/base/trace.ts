import {
  type Attributes,
  context,
  propagation,
  type Span,
  type SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';

const tracer = trace.getTracer('warren');

export interface TracedOptions {
  /** Name of the span, after OpenTelemetry's semantic conventions: `process ship-parcel`. */
  name: string;
  kind: SpanKind;
  attributes?: Attributes | undefined;
  /** Headers that may contain the parent of the span (W3C Trace Context). */
  from?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Runs work in a span. Without an OpenTelemetry SDK in the process it only runs it.
 *
 * @param describe returns the options of the span; called only if there is an SDK.
 * @param work receives the span if there is one.
 * @throws the error of `work`, which the span records.
 */
export function traced<T>(describe: () => TracedOptions, work: (span?: Span) => Promise<T>): Promise<T> {
  if (!tracing()) return work();
  const { name, kind, attributes = {}, from } = describe();
  const around = trace.getSpanContext(context.active());
  const parent = from ? propagation.extract(context.active(), from) : context.active();
  const cameFrom = trace.getSpanContext(parent);
  // A host's span for the whole batch is not the parent of its messages, but is related to them.
  const links = around && cameFrom?.spanId !== around.spanId ? [{ context: around }] : [];
  return tracer.startActiveSpan(name, { kind, attributes, links }, parent, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      if (error instanceof Error) span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Returns the headers with the current trace instead of their own; unchanged if there is no current trace. */
export function withTrace<Headers extends Record<string, unknown> | undefined>(headers: Headers): Headers {
  if (!tracing()) return headers;
  const carried: Record<string, unknown> = { ...headers };
  propagation.inject(context.active(), carried);
  return (Object.keys(carried).length > 0 ? carried : headers) as Headers;
}

/** Whether a propagator is configured: without an SDK, that of the API has no fields. */
function tracing(): boolean {
  return propagation.fields().length > 0;
}
