import type { Feed } from 'warren/topology';
import { type Alarm, alarmId, minute, resource } from './alarm.ts';
import { dashboard } from './dashboard.ts';
import { type PlatformOptions, platformAlarms } from './platform-alarms.ts';
import { type Resource, ref } from './template.ts';

export interface AlarmsOptions extends PlatformOptions {
  /** What alarms' names begin with, and the namespace of the functions' own metrics: `warren-prod`. */
  prefix: string;
  /** The consumers: mappings consume all the time, workers only if messages wait, and a scheduled poll comes and goes. */
  feed: Feed | undefined;
  /** Recipient of the mails; no mails if empty. */
  mail: string;
}

/** Ready messages in one queue, for a quarter of an hour: what two workers do in that time several times over. */
const longQueue = 1000;

/** The topic that alarms go to, the alarms, and a dashboard. docs/deploy-aws.md explains each. */
export function alarms(options: AlarmsOptions): Record<string, Resource> {
  const { prefix, mail } = options;
  const all = [...brokerAlarms(options), httpAlarm(), ...functionAlarms(options), ...platformAlarms(options)];
  return {
    AlarmsTopic: {
      Type: 'AWS::SNS::Topic',
      Properties: {
        TopicName: `${prefix}-alarms`,
        ...(mail !== '' && { Subscription: [{ Protocol: 'email', Endpoint: mail }] }),
      },
    },
    ...Object.fromEntries(all.map((alarm) => [alarmId(alarm), resource(prefix, alarm)])),
    Dashboard: dashboard(options, all),
  };
}

const noConsumer = 'has had no consumer for 15 minutes; the log of watch-queues names it';

/** Measured by watch-queues every minute. Missing values mean that the broker is unavailable. */
function brokerAlarms({ prefix, feed }: AlarmsOptions): Alarm[] {
  const own = { namespace: prefix, missing: 'breaching' } as const;
  const periods = { bad: 3, of: 3, seconds: 5 * minute };
  return [
    {
      ...own,
      name: 'dead-letters',
      description: 'Messages wait in warren.dead-letters for an operator, or nobody could look for 5 minutes',
      metric: 'DeadLetters',
      statistic: 'Maximum',
      periods: { bad: 1, of: 1, seconds: 5 * minute },
      threshold: 1,
    },
    {
      ...own,
      name: 'long-queue',
      description: `A queue has held ${longQueue} messages or more for 15 minutes`,
      metric: 'LongestQueue',
      statistic: 'Minimum',
      periods,
      threshold: longQueue,
    },
    {
      ...own,
      name: 'overdue-retries',
      description:
        'Failed messages have been held for 15 minutes after their retry delay; the log of watch-queues names their queues',
      metric: 'Overdue',
      statistic: 'Minimum',
      periods,
      threshold: 1,
      // Only the management API reports it, and a deployment may lack one.
      missing: 'notBreaching',
    },
    ...(feed !== 'adapter'
      ? [
          {
            ...own,
            name: 'mapping-stopped',
            ...(feed === 'worker'
              ? { description: `A queue in which messages wait ${noConsumer}`, metric: 'Deserted' }
              : { description: `A queue ${noConsumer}`, metric: 'WithoutConsumer' }),
            statistic: 'Minimum',
            periods,
            threshold: 1,
          } as const,
        ]
      : []),
  ];
}

function httpAlarm(): Alarm {
  return {
    name: 'http-5xx',
    description: 'Requests are answered with 5xx: a part is unavailable, or a function fails',
    namespace: 'AWS/ApiGateway',
    metric: '5xx',
    dimensions: { ApiId: ref('HttpApi') },
    statistic: 'Sum',
    periods: { bad: 2, of: 3, seconds: 5 * minute },
    threshold: 5,
  };
}

/** A failed call is a crash, a time-out, or a batch that could not be retried or dead-lettered. A single failure may be caused by another message. */
function functionAlarms({ functions }: AlarmsOptions): Alarm[] {
  return Object.entries(functions).map(([key, { name: FunctionName }]) => ({
    name: `errors-${key}`,
    description: `Calls of ${key} fail, in two of three periods of 5 minutes`,
    namespace: 'AWS/Lambda',
    metric: 'Errors',
    dimensions: { FunctionName },
    statistic: 'Sum',
    periods: { bad: 2, of: 3, seconds: 5 * minute },
    threshold: 1,
  }));
}
