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
  /** Headers that may say which trace this belongs to (W3C Trace Context). */
  from?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Runs work in a span. Without an OpenTelemetry SDK in the process it only runs it.
 *
 * @param describe tells what the span is; asked only where there will be one.
 * @param work gets the span, where there is one.
 * @throws what `work` throws; the span then says so.
 */
export function traced<T>(describe: () => TracedOptions, work: (span?: Span) => Promise<T>): Promise<T> {
  if (!tracing()) return work();
  const { name, kind, attributes = {}, from } = describe();
  const around = trace.getSpanContext(context.active());
  const parent = from ? propagation.extract(context.active(), from) : context.active();
  const cameFrom = trace.getSpanContext(parent);
  // A host's span for the whole batch is no parent of each of its messages, but has to do with them.
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

/** Headers with the trace that is under way now, in place of the one they name; as they were where there is none. */
export function withTrace<Headers extends Record<string, unknown> | undefined>(headers: Headers): Headers {
  if (!tracing()) return headers;
  const carried: Record<string, unknown> = { ...headers };
  propagation.inject(context.active(), carried);
  return (Object.keys(carried).length > 0 ? carried : headers) as Headers;
}

/** Whether anyone set up what carries a trace: without an SDK the API's own propagator knows no field. */
function tracing(): boolean {
  return propagation.fields().length > 0;
}
