import {
  type Attributes,
  context,
  createContextKey,
  type Link,
  ProxyTracerProvider,
  propagation,
  type Span,
  type SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { thrownText } from './thrown-text.ts';
import { version } from './version.ts';

export const scopeName = 'warren';

/** Asked for at each use: a bundle has its own copy of the API, which may be loaded before the SDK. */
const tracer = () => trace.getTracer(scopeName, version);

/** The SDK creates no span in a context with this key (`suppressTracing` of @opentelemetry/core). */
const suppressed = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

export interface TracedOptions {
  /** Name of the span, after OpenTelemetry's semantic conventions: `process ship-parcel`. */
  name: string;
  kind: SpanKind;
  attributes?: Attributes | undefined;
  /** Headers that may contain the parent of the span (W3C Trace Context). */
  from?: Readonly<Record<string, unknown>> | undefined;
  /** Headers of each message of a batch. The span links to their traces and stays in the current one. */
  batch?: readonly Readonly<Record<string, unknown>>[] | undefined;
}

/**
 * Runs work in a span. Without an OpenTelemetry SDK in the process it only runs it.
 *
 * @param describe returns the options of the span; called only if there is an SDK.
 * @param work receives the span if there is one.
 * @throws the error of `work`, which the span records.
 */
export function traced<T>(describe: () => TracedOptions, work: (span?: Span) => Promise<T>): Promise<T> {
  if (!isTraced()) return work();
  const { name, kind, attributes = {}, from, batch = [] } = describe();
  const around = trace.getSpanContext(context.active());
  const parent = from ? propagation.extract(context.active(), from) : context.active();
  const cameFrom = trace.getSpanContext(parent);
  const links: Link[] = batch.flatMap(linkTo);
  // A host's span for the whole batch is not the parent of its messages, but is related to them.
  if (around && cameFrom?.spanId !== around.spanId) links.push({ context: around });
  return tracer().startActiveSpan(name, { kind, attributes, links }, parent, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      failSpan(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Records in a span that its work failed. Does nothing without a span. */
export function failSpan(span: Span | undefined, error: unknown): void {
  if (!span) return;
  span.recordException(error instanceof Error ? error : thrownText(error));
  span.setAttribute('error.type', errorType(error));
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** The attribute `error.type`: the code of an error if it has one, such as `ERR_UNROUTABLE`, or else its name. */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return '_OTHER';
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' || typeof code === 'number') return String(code);
  const name: unknown = error.name;
  return typeof name === 'string' && name !== '' ? name : '_OTHER';
}

/** Records a span that is over as soon as it has begun, such as an acknowledgement. */
export function pointSpan(describe: () => TracedOptions): void {
  if (!isTraced()) return;
  const { name, kind, attributes = {}, from, batch = [] } = describe();
  const parent = from ? propagation.extract(context.active(), from) : context.active();
  const options = { kind, attributes, links: batch.flatMap(linkTo) };
  tracer().startSpan(name, options, parent).end();
}

/** Returns the headers with the current trace instead of their own; unchanged if there is no current trace. */
export function withTrace<Headers extends Record<string, unknown> | undefined>(headers: Headers): Headers {
  if (!isTraced()) return headers;
  const carried: Record<string, unknown> = { ...headers };
  propagation.inject(context.active(), carried);
  return (Object.keys(carried).length > 0 ? carried : headers) as Headers;
}

/**
 * Runs work in which no span is created, so that an instrumentation of amqplib creates none beside ours, and does not replace
 * our trace in the headers with its own.
 */
export function untraced<T>(work: () => T): T {
  return isTraced() ? context.with(context.active().setValue(suppressed, true), work) : work();
}

function linkTo(headers: Readonly<Record<string, unknown>>): Link[] {
  const from = trace.getSpanContext(propagation.extract(context.active(), headers));
  return from && from !== trace.getSpanContext(context.active()) ? [{ context: from }] : [];
}

/** Whether an SDK is registered, with a propagator or without one. */
export function isTraced(): boolean {
  const provider = trace.getTracerProvider();
  // Without an SDK it is the proxy of this copy of the API, which has no tracer to delegate to.
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer(scopeName) !== undefined;
}
