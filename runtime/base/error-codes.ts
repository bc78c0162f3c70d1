/** What a code means: the class that carries it, when it is thrown, and what to do about it. */
export interface ErrorDescription {
  class: string;
  when: string;
  action: string;
}

/** Every error code of the runtime. docs/errors.md is generated from this table. */
export const errorCodes = {
  ERR_REJECTED: {
    class: 'RejectedError',
    when: 'the work can never succeed: the message is malformed, or contradicts stored data',
    action:
      'throw it in a handler to dead-letter the message at once. Operator: read the reason (`warren dead-letters show`), then drop the dead letter, or fix the function and replay it',
  },
  ERR_UNAVAILABLE: {
    class: 'UnavailableError',
    when: 'a dependency (`dependency` names it: broker, database, storage, mail server, ...) cannot be reached, is too slow, or refuses work for now; another delivery holds the lease for the same effect',
    action:
      'throw it in a handler to have the message retried until it is a day old; an HTTP function answers 503 with `Retry-After`. Operator: look at `GET /health/parts`, and restore the dependency',
  },
  ERR_RETRY_LATER: {
    class: 'RetryLaterError',
    when: 'a handler asks for a retry after a number of `seconds`',
    action:
      'throw it in a handler (`retry(seconds)`): the message waits for the shortest delay of its queue that is not below it, or else for the longest, until it is a day old',
  },
  ERR_PUBLISH_REFUSED: {
    class: '`PublishRefusedError`, an `UnavailableError`',
    when: "the broker closed the channel or the connection because of the message: a missing exchange, a missing right, a message too large. `replyCode` is the broker's reason: 403, 404, 406, ...",
    action:
      'apply the topology (`warren topology apply`), check the rights of the login, or make the message smaller',
  },
  ERR_UNROUTABLE: {
    class: 'UnroutableError',
    when: 'a mandatory message reached no queue: no binding matches its routing key, or an RPC method has no queue; a replay found that the queue no longer exists',
    action: 'check exchange, routing key and bindings; apply the topology',
  },
  ERR_TIMEOUT: {
    class: 'DeadlineError',
    when: 'an answer did not arrive within its time limit, such as an RPC reply',
    action:
      'the call may still have been served: repeat it only if a second call does no harm. Check that the method has a consumer',
  },
  ERR_REPLY_TOO_LARGE: {
    class: 'ReplyTooLargeError',
    when: 'a reply has more bytes than the caller takes: `maxReplyBytes` of the call, default 16 MiB',
    action:
      'the call was served: do not repeat it. Have the method return less or a link, or raise `maxReplyBytes` of the call',
  },
  ERR_CONFIG: {
    class: 'WarrenError',
    when: "a setting, an option of a command, a manifest, an event in serverless.yml or a handler's path is missing or wrong",
    action: 'read the message: it lists every problem at once with its place. Not retried',
  },
  ERR_STACK: {
    class: 'StackError',
    when: 'a program for development, such as the private RabbitMQ of `warren dev`, cannot be installed or started',
    action: 'read the message, which names the remedy, or the file with the output of the program',
  },
  ERR_TOPOLOGY: {
    class: 'WarrenError',
    when: '`custom.warren` is inconsistent, serverless.yml cannot be read, or a queue or exchange exists at the broker with other arguments',
    action:
      'correct serverless.yml; for a queue with other arguments follow the [runbook](runbook.md#a-queue-with-other-arguments)',
  },
  ERR_BROKER_REFUSED: {
    class: 'WarrenError',
    when: 'the broker, or its management API, refuses the user, the password or the virtual host, or a right that the login needs',
    action:
      'check the login in `AMQP_URL` or `AMQP_MANAGEMENT_URL`; `warren topology apply --users` sets the rights. At the start it is fatal; later it is retried',
  },
  ERR_PORT_TAKEN: {
    class: 'WarrenError',
    when: 'a host cannot bind its port: another program has it, or it is reserved',
    action: 'choose another port with `--port` (0 for any), or serve no metrics with `--no-http`',
  },
  ERR_CALL: {
    class: 'CallError',
    when: 'an RPC method answers with an error of its own',
    action: 'throw it in a method: the caller gets a reply of the type `error` with its status and title',
  },
  ERR_COPY_FAILED: {
    class: 'WarrenError',
    when: 'the copy of a failed message cannot be published because of the message itself',
    action: 'the message is delivered again and counted; read the cause in the log',
  },
  ERR_PROBLEM: {
    class: 'Problem',
    when: 'an HTTP function answers with an error',
    action: 'throw it in an HTTP function: the response is `application/problem+json` with its status',
  },
  ERR_HOST_UNAVAILABLE: {
    class: 'HostUnavailableError',
    when: 'the call did not reach the function: its host is unavailable, throttled, or not permitted; or the function threw `UnavailableError`',
    action:
      'none: the host keeps the messages and calls again after growing pauses. If it lasts, check the host, its credentials and its rights',
  },
  ERR_FUNCTION_FAILED: {
    class: '`FunctionFailedError`; `FunctionLateError` if it took too long',
    when: 'the function was called, and threw, crashed or took longer than its `timeout`',
    action:
      "read the function's log. The batch is split, and only the message that fails alone is rejected; after 20 deliveries the broker dead-letters it",
  },
} as const satisfies Record<string, ErrorDescription>;

/** A code of the runtime. Programs decide by it; the text of an error is for people only. */
export type ErrorCode = keyof typeof errorCodes;

/** A code that a project defines for an error of its own. */
export type ProjectErrorCode = `ERR_APP_${string}`;
