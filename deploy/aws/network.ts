import { RemovalPolicy } from 'aws-cdk-lib';
import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  IpAddresses,
  Peer,
  Port,
  SecurityGroup,
  type SubnetSelection,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

export interface NetworkProps {
  /** Addresses of the network, default 10.0.0.0/16. Networks that are to be connected need different ones. */
  cidr?: string | undefined;
  /** Number of availability zones, 2 or 3. */
  zones: number;
  /** Number of NAT gateways. With one, the functions of all zones lose the internet together with its zone. */
  natGateways: number;
}

/** Groups of subnets, by what is in them. */
const subnets = { open: 'public', functions: 'functions', broker: 'broker', database: 'database' };

/**
 * A network for functions, broker and database, none of which can be reached from the internet.
 *
 * The functions go out through NAT. Interface endpoints cost per zone and service, and would not be enough: the keys of an issuer of tokens
 * and webhooks are on the internet. Objects take the gateway endpoint of S3, which costs nothing.
 */
export class Network extends Construct {
  readonly vpc: Vpc;
  readonly functions: SecurityGroup;
  readonly broker: SecurityGroup;
  readonly database: SecurityGroup;

  constructor(scope: Construct, id: string, { cidr = '10.0.0.0/16', zones, natGateways }: NetworkProps) {
    super(scope, id);
    this.vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(cidr),
      maxAzs: zones,
      natGateways,
      // The default group is not used. Emptying it takes a function with rights to change groups.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: subnets.open, subnetType: SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: subnets.functions, subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 20 },
        // The pollers of AWS's mappings are in the broker's subnets, and call Lambda and Secrets Manager from there.
        { name: subnets.broker, subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 24 },
        { name: subnets.database, subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
      ],
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
      flowLogs: {
        Refused: {
          trafficType: FlowLogTrafficType.REJECT,
          destination: FlowLogDestination.toCloudWatchLogs(
            new LogGroup(this, 'FlowLogs', {
              retention: RetentionDays.ONE_MONTH,
              removalPolicy: RemovalPolicy.DESTROY,
            }),
          ),
        },
      },
    });
    this.functions = this.#group('Functions', 'Functions of Warren');
    this.broker = this.#group('Broker', 'Broker of Warren');
    this.database = this.#group('Database', 'Database of Warren');
    this.#connect();
  }

  /** The subnets of functions, the broker or the database. */
  subnetsOf(part: 'functions' | 'broker' | 'database'): SubnetSelection {
    return { subnetGroupName: subnets[part] };
  }

  #connect(): void {
    const { functions, broker, database } = this;
    const amqps = Port.tcp(5671);
    const https = Port.tcp(443);
    functions.connections.allowTo(broker, amqps, 'AMQP');
    functions.connections.allowTo(broker, https, 'management API of the broker');
    functions.connections.allowTo(database, Port.tcp(5432), 'PostgreSQL');
    functions.addEgressRule(Peer.anyIpv4(), https, 'APIs of AWS, keys of issuers, webhooks');
    functions.addEgressRule(Peer.anyIpv4(), Port.tcp(465), 'SMTP of SES');
    // AWS's mapping: its pollers have the group of the broker.
    broker.connections.allowInternally(amqps, 'pollers of the mappings');
    broker.addEgressRule(Peer.anyIpv4(), https, 'pollers of the mappings: Lambda, Secrets Manager');
  }

  #group(id: string, description: string): SecurityGroup {
    return new SecurityGroup(this, id, { vpc: this.vpc, description, allowAllOutbound: false });
  }
}
