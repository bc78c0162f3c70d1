/** What a function is tested with. */
export * from './messages/test-event.ts';
