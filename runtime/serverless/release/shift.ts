import type { Shift } from '../../topology/release-field.ts';
import { attribute, type Resource, ref, sub, type Template } from './template.ts';

/** A function whose calls move to its new version step by step. */
export interface ShiftedFunction {
  /** Its key in serverless.yml. */
  key: string;
  /** What the logical ids of its resources begin with. */
  id: string;
  /** Its deployed name. */
  name: string;
  aliasId: string;
  versionId: string;
}

export interface ShiftOptions {
  alias: string;
  shift: Exclude<Shift, 'AllAtOnce'>;
  /** Service and stage: `warren-prod`. */
  prefix: string;
}

const applicationId = 'ReleaseApplication';
const roleId = 'ReleaseRole';

/**
 * CodeDeploy's part of a release: an application, its role, and for each function a deployment group and an alarm on failed calls
 * of the new version. CodeDeploy runs one deployment of a group at a time, so that a group of several functions would fail.
 *
 * @param template gets the update policy of each alias.
 */
export function shiftResources(
  template: Template,
  functions: readonly ShiftedFunction[],
  { alias, shift, prefix }: ShiftOptions,
): Record<string, Resource> {
  const each = functions.flatMap((one): [string, Resource][] => {
    const ids = { group: `${one.id}ReleaseGroup`, alarm: `${one.id}ReleaseAlarm` };
    const aliasResource = template.Resources[one.aliasId];
    if (aliasResource) {
      aliasResource.UpdatePolicy = {
        CodeDeployLambdaAliasUpdate: {
          ApplicationName: ref(applicationId),
          DeploymentGroupName: ref(ids.group),
        },
      };
    }
    return [
      [ids.alarm, alarmOf(one, { alias, prefix })],
      [ids.group, groupOf(ids.alarm, shift)],
    ];
  });
  return {
    [applicationId]: {
      Type: 'AWS::CodeDeploy::Application',
      Properties: { ApplicationName: `${prefix}-release`, ComputePlatform: 'Lambda' },
    },
    [roleId]: roleOf(functions, alias),
    ...Object.fromEntries(each),
  };
}

function groupOf(alarmId: string, shift: ShiftOptions['shift']): Resource {
  return {
    Type: 'AWS::CodeDeploy::DeploymentGroup',
    Properties: {
      ApplicationName: ref(applicationId),
      ServiceRoleArn: attribute(roleId, 'Arn'),
      DeploymentConfigName: `CodeDeployDefault.Lambda${shift}`,
      DeploymentStyle: { DeploymentType: 'BLUE_GREEN', DeploymentOption: 'WITH_TRAFFIC_CONTROL' },
      AlarmConfiguration: { Enabled: true, Alarms: [{ Name: ref(alarmId) }] },
      AutoRollbackConfiguration: {
        Enabled: true,
        Events: ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_ALARM', 'DEPLOYMENT_STOP_ON_REQUEST'],
      },
    },
  };
}

/**
 * One failed call of the new version rings. The alarm on all calls of a function would ring too late for a shift of five minutes, and
 * would stop the deployment that repairs a failing version.
 */
function alarmOf({ key, name, versionId }: ShiftedFunction, options: Omit<ShiftOptions, 'shift'>): Resource {
  const { alias, prefix } = options;
  return {
    Type: 'AWS::CloudWatch::Alarm',
    Properties: {
      AlarmName: `${prefix}-release-${key}`,
      AlarmDescription: `A call of the new version of ${key} fails while calls shift to it: CodeDeploy returns them to the former version`,
      Namespace: 'AWS/Lambda',
      MetricName: 'Errors',
      Dimensions: [
        { Name: 'FunctionName', Value: name },
        { Name: 'Resource', Value: `${name}:${alias}` },
        { Name: 'ExecutedVersion', Value: attribute(versionId, 'Version') },
      ],
      Statistic: 'Sum',
      Period: 60,
      EvaluationPeriods: 1,
      DatapointsToAlarm: 1,
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      TreatMissingData: 'notBreaching',
    },
  };
}

/** CodeDeploy's rights: the aliases of these functions, and the state of alarms, which have no name in the check. */
function roleOf(functions: readonly ShiftedFunction[], alias: string): Resource {
  const arns = functions.flatMap(({ name }) => {
    const arn = `arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:${name}`;
    return [sub(arn), sub(`${arn}:${alias}`)];
  });
  return {
    Type: 'AWS::IAM::Role',
    Properties: {
      AssumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Allow', Principal: { Service: 'codedeploy.amazonaws.com' }, Action: 'sts:AssumeRole' },
        ],
      },
      Policies: [
        {
          PolicyName: 'release',
          PolicyDocument: {
            Version: '2012-10-17',
            Statement: [
              {
                Effect: 'Allow',
                Action: ['lambda:GetAlias', 'lambda:UpdateAlias', 'lambda:GetProvisionedConcurrencyConfig'],
                Resource: arns,
              },
              { Effect: 'Allow', Action: ['cloudwatch:DescribeAlarms'], Resource: '*' },
            ],
          },
        },
      ],
    },
  };
}
