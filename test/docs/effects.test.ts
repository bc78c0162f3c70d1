import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBroker, type TestBroker } from '../support/broker.ts';
import { type OwnDatabase, ownDatabase } from '../support/database.ts';
import { startDynamo } from '../support/dynamodb.ts';
import { followPage } from '../support/page.ts';
import { stack } from '../support/stack.ts';

describe('docs/effects.md', () => {
  let own: OwnDatabase;
  let broker: TestBroker;

  beforeAll(async () => {
    [own, broker] = await Promise.all([ownDatabase(), openBroker()]);
    await broker.channel.assertQueue('shipped');
  });
  afterAll(async () => {
    await broker.channel.deleteQueue('shipped');
    await Promise.all([broker.close(), own.drop()]);
  });

  it('effects page: each step does what the page shows, and each parcel has one message', async () => {
    const dynamo = await startDynamo('effects');
    const aws = { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
    const env = {
      AMQP_URL: stack.AMQP_URL,
      DATABASE_URL: own.url,
      AWS_ENDPOINT_URL_DYNAMODB: dynamo.endpoint,
    };
    await followPage('docs/effects.md', { ...env, ...aws }).finally(dynamo.close);
    const bodies = (await broker.drain('shipped')).map(({ content }) => content.toString());
    expect(bodies.toSorted()).toEqual(['{"city":"Oslo"}', '{"city":"Rome"}']);
  }, 120_000);
});
