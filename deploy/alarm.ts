import { type Resource, ref, type Text } from './template.ts';

export interface Alarm {
  name: string;
  description: string;
  namespace: string;
  metric: string;
  dimensions?: Record<string, Text>;
  /** `p99`: below it are 99 of a hundred measurements. */
  statistic: 'Maximum' | 'Minimum' | 'Sum' | 'p99';
  /** How many of how many periods, of how many seconds each. */
  periods: { bad: number; of: number; seconds: number };
  /** It rings from here on, or for `below` down from here. */
  threshold: number;
  below?: boolean;
  /** What it means that nothing is measured, default nothing. */
  missing?: 'breaching' | 'notBreaching';
}

/** Seconds. */
export const minute = 60;

/** The alarm in CloudFormation, which notifies the topic when it begins and when it ends. */
export function resource(prefix: string, alarm: Alarm): Resource {
  const { name, description, namespace, metric, dimensions = {}, periods, missing = 'notBreaching' } = alarm;
  return {
    Type: 'AWS::CloudWatch::Alarm',
    Properties: {
      AlarmName: `${prefix}-${name}`,
      AlarmDescription: description,
      Namespace: namespace,
      MetricName: metric,
      Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
      ...(alarm.statistic === 'p99'
        ? { ExtendedStatistic: alarm.statistic }
        : { Statistic: alarm.statistic }),
      Period: periods.seconds,
      EvaluationPeriods: periods.of,
      DatapointsToAlarm: periods.bad,
      Threshold: alarm.threshold,
      ComparisonOperator: alarm.below ? 'LessThanOrEqualToThreshold' : 'GreaterThanOrEqualToThreshold',
      TreatMissingData: missing,
      AlarmActions: [ref('AlarmsTopic')],
      OKActions: [ref('AlarmsTopic')],
    },
  };
}

/** The logical id. */
export const alarmId = ({ name }: Alarm): string => `${pascalCase(name)}Alarm`;

function pascalCase(name: string): string {
  return name.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
}
