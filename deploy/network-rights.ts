import { allow, denyOwnCode, type Statement } from './statement.ts';
import { ownArn } from './template.ts';

/** Ids. */
export interface Network {
  subnetIds: readonly string[];
  securityGroupIds: readonly string[];
}

interface Networked {
  functionName: string;
  /** Brokers that feed the function. */
  brokers: readonly unknown[];
  network?: Network | undefined;
}

/**
 * Lets Lambda create and remove network interfaces for the function, and denies the same to the function's code, as AWS advises.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
 */
export function interfaces({ brokers, network, functionName }: Networked): Statement[] {
  const mapped = brokers.length > 0;
  if (!mapped && !network) return [];
  // A mapping uses the function's role to reach a broker in a VPC, from the broker's own subnets, which are unknown here.
  const { subnetIds, securityGroupIds } = mapped || !network ? anyNetwork : network;
  const arns = (type: string, ids: readonly string[]) => ids.map((id) => ownArn('ec2', `${type}/${id}`));
  const within = [
    ...arns('network-interface', ['*']),
    ...arns('subnet', subnetIds),
    ...arns('security-group', securityGroupIds),
  ];
  return [
    allow(['ec2:CreateNetworkInterface'], within),
    allow([...unnamed, ...(mapped ? mappingDescribes : [])], '*'),
    denyOwnCode(functionName, ['ec2:CreateNetworkInterface', 'ec2:DetachNetworkInterface', ...unnamed], '*'),
  ];
}

const anyNetwork: Network = { subnetIds: ['*'], securityGroupIds: ['*'] };

/**
 * Lambda checks these when it creates the function, before there is an interface, and without a resource: a role that allows them for
 * `network-interface/*` is refused.
 */
const unnamed = [
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];
const mappingDescribes = ['ec2:DescribeVpcs', 'ec2:DescribeSecurityGroups'];
