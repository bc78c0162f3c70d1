import { model } from './amqplib.mjs';

/** Publishes each message twice for which `isMeant` returns true. @returns a function that ends that. */
export function doublePublishes(isMeant) {
  const { prototype } = model.ConfirmChannel;
  const { publish } = prototype;
  prototype.publish = function (exchange, routingKey, ...rest) {
    if (isMeant(exchange, routingKey)) {
      publish.call(this, exchange, routingKey, ...rest.slice(0, 2), () => undefined);
    }
    return publish.call(this, exchange, routingKey, ...rest);
  };
  return () => {
    prototype.publish = publish;
  };
}
