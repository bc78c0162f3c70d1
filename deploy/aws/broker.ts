import { Fn } from 'aws-cdk-lib';
import { CfnBroker } from 'aws-cdk-lib/aws-amazonmq';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { Network } from './network.ts';

export interface BrokerProps {
  name: string;
  network: Network;
  /** `mq.m7g.medium` and larger: RabbitMQ 4 runs on no other type. */
  instanceType: string;
  /** Three nodes, each in a zone of its own, in place of one. */
  cluster: boolean;
  administratorName: string;
  /** Its member `password` is that of the administrator. */
  administrator: Secret;
}

/** A private broker in Amazon MQ for RabbitMQ. */
export class Broker extends Construct {
  readonly arn: string;
  /** Host name, without a port. */
  readonly host: string;

  constructor(scope: Construct, id: string, props: BrokerProps) {
    super(scope, id);
    const { name, network, instanceType, cluster, administratorName, administrator } = props;
    const { subnetIds } = network.vpc.selectSubnets(network.subnetsOf('broker'));
    const broker = new CfnBroker(this, 'Broker', {
      brokerName: name,
      engineType: 'RABBITMQ',
      engineVersion: '4.2',
      // Amazon MQ requires it from RabbitMQ 3.13 on. It never changes the minor version of RabbitMQ itself, such as 4.2.
      autoMinorVersionUpgrade: true,
      deploymentMode: cluster ? 'CLUSTER_MULTI_AZ' : 'SINGLE_INSTANCE',
      hostInstanceType: instanceType,
      publiclyAccessible: false,
      // One instance takes exactly one subnet.
      subnetIds: cluster ? subnetIds : subnetIds.slice(0, 1),
      securityGroups: [network.broker.securityGroupId],
      logs: { general: true },
      maintenanceWindowStartTime: { dayOfWeek: 'SUNDAY', timeOfDay: '03:00', timeZone: 'UTC' },
      users: [
        {
          username: administratorName,
          password: administrator.secretValueFromJson('password').unsafeUnwrap(),
        },
      ],
    });
    this.arn = broker.attrArn;
    // amqps://b-....mq.eu-west-1.amazonaws.com:5671
    const address = Fn.select(1, Fn.split('//', Fn.select(0, broker.attrAmqpEndpoints)));
    this.host = Fn.select(0, Fn.split(':', address));
  }
}
