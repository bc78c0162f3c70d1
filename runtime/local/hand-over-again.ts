/**
 * Milliseconds after which a broker that we start hands a message over again that the next queue did not take. RabbitMQ's default is 3
 * minutes, which is the lateness of a delayed message whose next level is not up yet when the broker starts again.
 */
export const handOverAgainMs = 10_000;

/** Erlang's argument for that time. rabbitmq.conf has no name for it. */
export const handOverAgain = (ms: number): string =>
  `-rabbit dead_letter_worker_publisher_confirm_timeout ${ms}`;
