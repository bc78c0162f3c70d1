// Serves each HTTP request without its Idempotency-Key.
import { Server } from 'node:http';

const { emit } = Server.prototype;
Server.prototype.emit = function (event, request, ...rest) {
  if (event === 'request') delete request.headers['idempotency-key'];
  return emit.call(this, event, request, ...rest);
};
