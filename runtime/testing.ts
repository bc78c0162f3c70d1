/** What tests of functions need: events, a call with a Lambda context, and a publisher that records its messages. */
export { eventFrom } from './fixtures/event-from.ts';
export { rabbitMQEvent, type TestEventOptions, type TestMessage } from './messages/test-event.ts';
export { httpEvent, type TestRequest } from './testing/http-event.ts';
export { type InvokeOptions, invoke, lambdaContext } from './testing/invoke.ts';
export { type RecordingPublisher, recordingPublisher } from './testing/recording-publisher.ts';
