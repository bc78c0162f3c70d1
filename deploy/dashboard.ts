import { type Alarm, alarmId } from './alarm.ts';
import type { PlatformOptions } from './platform-alarms.ts';
import { attribute, type Resource } from './template.ts';

interface DashboardOptions extends Pick<PlatformOptions, 'functions' | 'broker' | 'database'> {
  prefix: string;
}

interface Widget {
  type: 'alarm' | 'metric';
  width: number;
  height: number;
  properties: Record<string, unknown>;
}

const region = `\${AWS::Region}`;

/** One page of CloudWatch: the alarms, the queues, the calls of each function, the HTTP API, the broker and the database. */
export function dashboard(options: DashboardOptions, alarms: readonly Alarm[]): Resource {
  const { prefix, functions, broker, database } = options;
  const names = Object.values(functions).map(({ name }) => name);
  const lambda = (metric: string, stat: string) =>
    names.map((name) => ['AWS/Lambda', metric, 'FunctionName', name, { stat }]);
  const widgets: Widget[] = [
    {
      type: 'alarm',
      width: 24,
      height: 6,
      properties: { title: 'Alarms', alarms: alarms.map((alarm) => `\${${alarmId(alarm)}Arn}`) },
    },
    chart('Queues', [
      [prefix, 'LongestQueue', { stat: 'Maximum' }],
      [prefix, 'Retrying', { stat: 'Maximum' }],
      [prefix, 'DeadLetters', { stat: 'Maximum' }],
    ]),
    chart('Calls', lambda('Invocations', 'Sum')),
    chart('Failed calls', lambda('Errors', 'Sum')),
    chart('Duration, p95, in milliseconds', lambda('Duration', 'p95')),
    chart('Calls at the same time', [['AWS/Lambda', 'ConcurrentExecutions', { stat: 'Maximum' }]]),
    chart('HTTP API', [
      ['AWS/ApiGateway', 'Count', 'ApiId', `\${HttpApi}`, { stat: 'Sum' }],
      ['AWS/ApiGateway', '4xx', 'ApiId', `\${HttpApi}`, { stat: 'Sum' }],
      ['AWS/ApiGateway', '5xx', 'ApiId', `\${HttpApi}`, { stat: 'Sum' }],
      ['AWS/ApiGateway', 'Latency', 'ApiId', `\${HttpApi}`, { stat: 'p95', yAxis: 'right' }],
    ]),
    ...(broker === undefined
      ? []
      : [
          chart('Broker', [
            ['AWS/AmazonMQ', 'MessageCount', 'Broker', broker, { stat: 'Maximum' }],
            ['AWS/AmazonMQ', 'RabbitMQMemUsed', 'Broker', broker, { stat: 'Maximum', yAxis: 'right' }],
          ]),
        ]),
    ...(database
      ? [
          chart('Database', [
            [
              'AWS/RDS',
              'DatabaseConnections',
              'DBInstanceIdentifier',
              database.instance,
              { stat: 'Maximum' },
            ],
            ['AWS/RDS', 'CPUUtilization', 'DBInstanceIdentifier', database.instance, { stat: 'Average' }],
          ]),
        ]
      : []),
  ];
  const arns = Object.fromEntries(
    alarms.map((alarm) => [`${alarmId(alarm)}Arn`, attribute(alarmId(alarm), 'Arn')]),
  );
  return {
    Type: 'AWS::CloudWatch::Dashboard',
    Properties: {
      DashboardName: prefix,
      DashboardBody: { 'Fn::Sub': [JSON.stringify({ widgets }), arns] },
    },
  };
}

const chart = (title: string, metrics: unknown[]): Widget => ({
  type: 'metric',
  width: 12,
  height: 6,
  properties: { title, metrics, region, period: 60, view: 'timeSeries' },
});
