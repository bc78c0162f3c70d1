// Sends each call with an effect again, behind its caller's back.
import { doublePublishes } from './double.mjs';

export const mend = doublePublishes((_exchange, routingKey) => routingKey === 'record-call');
