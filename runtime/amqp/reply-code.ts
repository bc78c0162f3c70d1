/** Whether the broker answered a request with this reply code of AMQP 0-9-1 (1.1), such as 403 for a missing right. */
export function hasReplyCode(error: unknown, code: number): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
