/** Triggered by the queue `parcels`: sends a parcel for each order. */
import { lambda, log, onMessages, publisher, RejectedError } from 'warren/functions';
import { parcelOrdered } from './contracts.js';

export function createHandler({ publisher, log }) {
  return onMessages({ contract: parcelOrdered, publisher, log }, async ({ body }) => {
    // Such an order can never work, so it is dead-lettered at once. Any other error is retried later.
    if (body.city === 'Atlantis') throw new RejectedError('city: no delivery there');
    console.log(`sent parcel ${body.order_id} to ${body.city}`);
  });
}

export const handler = lambda({ publisher, log }, createHandler);
