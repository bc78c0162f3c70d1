import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type System, startSystem } from '../support/system.ts';

/** The tests beside this one use `serverless offline`. */
describe('npm start -- --reload', () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem(undefined, 'dev');
  }, 120_000);
  afterAll(() => system?.remove(), 120_000);

  it('the functions of the sample answer in the hosts of warren dev, with the environment that they need', async () => {
    expect(await (await fetch(system.env.HTTP_URL)).text()).toContain('<html');
    const health = async () => (await fetch(new URL('/health', system.env.HTTP_URL))).status;
    await expect.poll(health, { timeout: 60_000 }).toBe(200);
  }, 120_000);
});
