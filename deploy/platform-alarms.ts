import { type Alarm, minute } from './alarm.ts';
import { ref, type Text } from './template.ts';

export interface PlatformOptions {
  /** Deployed functions, by the key in serverless.yml. */
  functions: Readonly<Record<string, DeployedFunction>>;
  /** Calls that the account allows at the same time in this region. */
  concurrencyQuota: number;
  /** Name of the broker on Amazon MQ, default none. */
  broker?: string | undefined;
  /** Identifier of the instance on RDS, default none. */
  database?: { instance: string; connections: number; storageBytes: number } | undefined;
  /** Whether mails go out through SES of this account. */
  ses: boolean;
}

export interface DeployedFunction {
  name: string;
  /** Seconds. */
  timeout: number;
}

const fiveMinutes = { bad: 1, of: 1, seconds: 5 * minute };
const quarter = { bad: 3, of: 3, seconds: 5 * minute };

/** Alarms on what the functions run on: Lambda's limits, the HTTP API, the broker, the database, the mail service. */
export function platformAlarms(options: PlatformOptions): Alarm[] {
  const { broker, database, ses } = options;
  return [
    ...lambdaAlarms(options),
    latencyAlarm(),
    ...(broker === undefined ? [] : amazonMqAlarms(broker)),
    ...(database ? databaseAlarms(database) : []),
    ...(ses ? [bounceAlarm(), complaintAlarm()] : []),
  ];
}

function lambdaAlarms({ functions, concurrencyQuota }: PlatformOptions): Alarm[] {
  const lambda = { namespace: 'AWS/Lambda' } as const;
  return [
    {
      ...lambda,
      name: 'throttles',
      description: 'Lambda refuses calls in this region: the account allows no more at the same time',
      metric: 'Throttles',
      statistic: 'Sum',
      periods: fiveMinutes,
      threshold: 1,
    },
    {
      ...lambda,
      name: 'concurrency',
      description: `Four fifths of the ${concurrencyQuota} calls that the account allows at the same time`,
      metric: 'ConcurrentExecutions',
      statistic: 'Maximum',
      periods: fiveMinutes,
      threshold: Math.floor(0.8 * concurrencyQuota),
    },
    ...Object.entries(functions).map(
      ([key, { name, timeout }]): Alarm => ({
        ...lambda,
        name: `duration-${key}`,
        description: `A call of ${key} takes nine tenths of its ${timeout} seconds`,
        metric: 'Duration',
        dimensions: { FunctionName: name },
        statistic: 'Maximum',
        periods: { bad: 2, of: 3, seconds: 5 * minute },
        threshold: 900 * timeout,
      }),
    ),
  ];
}

const latencyAlarm = (): Alarm => ({
  name: 'http-latency',
  description: 'One request of a hundred takes 5 seconds or more, for 15 minutes',
  namespace: 'AWS/ApiGateway',
  metric: 'Latency',
  dimensions: { ApiId: ref('HttpApi') },
  statistic: 'p99',
  periods: quarter,
  threshold: 5000,
});

function amazonMqAlarms(broker: string): Alarm[] {
  const mq = { namespace: 'AWS/AmazonMQ', dimensions: { Broker: broker } as Record<string, Text> };
  return [
    {
      ...mq,
      name: 'broker-memory',
      description: 'The broker uses memory up to its limit, above which it accepts no messages',
      metric: 'RabbitMQMemUsed',
      statistic: 'Maximum',
      periods: quarter,
      // The alarm of RabbitMQ rings at 40 % of the memory; the smallest broker, mq.m7g.medium, has 4 GiB.
      threshold: Math.floor(0.35 * 4 * 2 ** 30),
    },
    {
      ...mq,
      name: 'broker-disk',
      description: 'The broker has less than 5 GB of disk left, and soon accepts no messages',
      metric: 'RabbitMQDiskFree',
      statistic: 'Minimum',
      periods: fiveMinutes,
      threshold: 5e9,
      below: true,
    },
    {
      ...mq,
      name: 'broker-connections',
      description: 'The broker has 80 connections; the smallest one allows 100 for each vhost',
      metric: 'ConnectionCount',
      statistic: 'Maximum',
      periods: quarter,
      threshold: 80,
    },
  ];
}

function databaseAlarms({
  instance,
  connections,
  storageBytes,
}: NonNullable<PlatformOptions['database']>): Alarm[] {
  const rds = { namespace: 'AWS/RDS', dimensions: { DBInstanceIdentifier: instance }, periods: quarter };
  return [
    {
      ...rds,
      name: 'database-connections',
      description: `The database has four fifths of its ${connections} connections`,
      metric: 'DatabaseConnections',
      statistic: 'Maximum',
      threshold: Math.floor(0.8 * connections),
    },
    {
      ...rds,
      name: 'database-storage',
      description: 'A tenth of the storage of the database is left',
      metric: 'FreeStorageSpace',
      statistic: 'Minimum',
      threshold: Math.floor(storageBytes / 10),
      below: true,
    },
  ];
}

/** SES puts an account under review from 5 % of bounces and 0.1 % of complaints. */
const ses = { namespace: 'AWS/SES', statistic: 'Maximum', periods: fiveMinutes } as const;

const bounceAlarm = (): Alarm => ({
  ...ses,
  name: 'mail-bounces',
  description: '4 % of the mails bounce; from 5 %, SES reviews the account',
  metric: 'Reputation.BounceRate',
  threshold: 0.04,
});

const complaintAlarm = (): Alarm => ({
  ...ses,
  name: 'mail-complaints',
  description: '0.08 % of the mails are reported as spam; from 0.1 %, SES reviews the account',
  metric: 'Reputation.ComplaintRate',
  threshold: 0.0008,
});
