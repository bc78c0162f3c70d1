/** Messages as other programs really send them, on the whole system: each has its right outcome, and no digit is lost. */
import { execFile } from 'node:child_process';
import { type ChannelModel, type ConfirmChannel, connect, type Options } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { stringifyJson } from '../../runtime/base/json.ts';
import { deadLetters } from '../../runtime/topology/names.ts';
import { type System, startSystem } from '../support/system.ts';

const patience = { timeout: 60_000, interval: 200 };
const digits = '9007199254740993';

describe('messages from the field', () => {
  let system: System;
  let model: ChannelModel;
  let channel: ConfirmChannel;

  beforeAll(async () => {
    system = await startSystem();
    model = await connect(system.env.AMQP_URL);
    channel = await model.createConfirmChannel();
  }, 300_000);
  afterAll(async () => {
    await model?.close();
    await system?.remove();
  }, 120_000);

  const send = async (key: string, body: string | Buffer, properties: Options.Publish = {}) => {
    const content = Buffer.from(body);
    channel.publish('alerts', key, content, {
      contentType: 'application/json',
      ...properties,
      persistent: true,
    });
    await channel.waitForConfirms();
  };
  /** The texts of all mails about this, once there is one. */
  const mailed = async (about: string): Promise<string[]> => {
    let texts: string[] = [];
    const found = async () => {
      texts = (await system.mails()).map(({ text }) => text).filter((text) => text.includes(about));
      return texts.length;
    };
    await expect.poll(found, patience).toBeGreaterThan(0);
    return texts;
  };
  const logged = async (routing_key: string): Promise<string[]> => {
    const rows = () =>
      system.db.selectFrom('alert_log').select('content').where('routing_key', '=', routing_key).execute();
    await expect.poll(async () => (await rows()).length, patience).toBe(1);
    return (await rows()).map(({ content }) => stringifyJson(content));
  };
  const warren = (...args: string[]): Promise<string> =>
    new Promise((resolve, reject) => {
      const env = { ...process.env, ...system.env, WARREN_DATA: system.dataDir };
      execFile(process.execPath, [projectFile('dev/warren.mjs'), ...args], { env }, (error, out, err) =>
        error ? reject(new Error(`${out}${err}`)) : resolve(out),
      );
    });

  it('digits: an integer beyond 2^53 in an alert is mailed and logged as it was sent, by HTTP, AMQP and the command line', async () => {
    const message = (from: string) => `{"from":"${from}","order":${digits}}`;
    const reply = await system.http('/alerts', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"routing_key":"critical.by-http","message":${message('http')}}`,
    });
    expect(reply.status, await reply.text()).toBe(202);
    await send('critical.by-amqp', message('amqp'));
    await warren('publish', 'alerts', 'critical.by-cli', message('cli'));
    for (const from of ['http', 'amqp', 'cli']) {
      expect(await logged(`critical.by-${from}`)).toEqual([message(from)]);
      expect(await mailed(`by-${from}`)).toEqual([expect.stringContaining(digits)]);
    }
  }, 120_000);

  it('digits: an integer beyond 2^53 keeps its digits in a dead letter, on the screen, and after a replay', async () => {
    const body = `{"image_id":${digits},"user_id":1,"image_path":"originals/x.jpg"}`;
    channel.sendToQueue('log-upload', Buffer.from(body), {
      messageId: 'digits',
      contentType: 'application/json',
    });
    await channel.waitForConfirms();
    const letter = async () =>
      JSON.parse(await warren('dead-letters', 'list', '--json')) as { letters: object[] };
    const filed = { letters: [{ id: 'digits', body }] };
    await expect.poll(letter, patience).toMatchObject(filed);
    expect(await warren('dead-letters', 'show', 'digits')).toContain(`"image_id": ${digits}`);
    expect(await warren('dead-letters', 'replay', 'digits')).toBe('put back 1\n');
    await expect.poll(letter, patience).toMatchObject(filed);
    await channel.purgeQueue(deadLetters);
  }, 180_000);

  it('digits: a call over RPC returns an integer beyond 2^53 as it was sent, by HTTP and by AMQP', async () => {
    const reply = await system.http('/rpc/ping', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"time":${digits}}`,
    });
    expect([reply.status, await reply.text()]).toEqual([200, `Pong!${digits}`]);
    expect(await warren('rpc', 'ping', `{"time":${digits}}`)).toContain(`Pong!${digits}`);
  }, 60_000);

  it('strangers: alerts with other conventions are mailed once each, and none is dead-lettered', async () => {
    await send('critical.bom', '\ufeff"with a byte order mark"', { messageId: 'bom' });
    const timestamp = Date.parse('2026-01-02T03:04:05Z');
    await send('critical.ms', '"raised in milliseconds"', { messageId: 'ms', timestamp });
    await send('critical.nul', '"an id with a NUL"', { messageId: 'disk-7\0' });
    await send('critical.dedup', '{"dedup_key":42,"text":"a number as a key"}', { messageId: 'dedup' });
    await send('critical.long', `{"dedup_key":"${'k'.repeat(240)}","text":"a long key"}`, {
      messageId: 'long',
    });
    await send('critical.type', '"no JSON by its type"', {
      contentType: 'application/octet-stream',
      messageId: 'type',
    });
    const headers = { x: Buffer.from([0x80, 0x81, 0xff]), long: { '!': 'int64', value: 2 ** 53 } };
    await send('critical.headers', '"binary headers"', { messageId: 'headers', headers });
    for (const about of [
      'with a byte order mark',
      'an id with a NUL',
      'a number as a key',
      'a long key',
      'no JSON by its type',
      'binary headers',
    ])
      expect(await mailed(about)).toHaveLength(1);
    expect(await mailed('raised in milliseconds')).toEqual([
      expect.stringContaining('2026-01-02T03:04:05.000Z'),
    ]);
    expect((await channel.checkQueue(deadLetters)).messageCount).toBe(0);
  }, 120_000);

  it('bounds: 4 MB of tiny values are dead-lettered unread, and the next alert is mailed', async () => {
    await send('critical.wide', `[${'{},'.repeat(1_400_000)}{}]`, { messageId: 'wide' });
    await send('critical.after', '"after the wide one"', { messageId: 'after' });
    expect(await mailed('after the wide one')).toHaveLength(1);
    // One for the audience and one for the log.
    await expect.poll(async () => (await channel.checkQueue(deadLetters)).messageCount, patience).toBe(2);
    const { properties } = (await channel.get(deadLetters, { noAck: true })) || {};
    expect(properties?.headers?.['x-warren-error']).toMatch(/maxMessageBytes|expected at most/);
  }, 120_000);
});
