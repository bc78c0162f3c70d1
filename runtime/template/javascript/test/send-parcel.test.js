import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invoke, rabbitMQEvent, recordingPublisher } from 'warren/testing';
import { createHandler } from '../src/send-parcel.js';

test('send-parcel: dead-letters an order to a city without delivery, and sends the other one', async () => {
  const publisher = recordingPublisher();
  const orders = ['Paris', 'Atlantis'].map((city, index) => ({ order_id: index, city }));
  await invoke(createHandler({ publisher }), rabbitMQEvent(orders.map((body) => ({ body }))));
  assert.deepEqual(
    publisher.published.map(({ exchange }) => exchange),
    ['warren.dead'],
  );
});
