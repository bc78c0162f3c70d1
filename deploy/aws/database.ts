import { Duration, Fn, RemovalPolicy } from 'aws-cdk-lib';
import { InstanceType } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import {
  CaCertificate,
  Credentials,
  DatabaseInstance,
  DatabaseInstanceEngine,
  PostgresEngineVersion,
  StorageType,
} from 'aws-cdk-lib/aws-rds';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { ignoreLint } from './lint.ts';
import type { Network } from './network.ts';

export interface DatabaseProps {
  name: string;
  network: Network;
  /** Such as `t4g.small`. */
  instanceType: string;
  /** A second instance in another zone, which takes over. */
  multiAz: boolean;
  storageGiB: number;
  /** Most connections: each instance of a function has one. About 110 fit into a GiB of memory. */
  connections: number;
  ownerName: string;
  /** Its member `password` is that of the owner of the tables. */
  owner: Secret;
  key: IKey;
}

/** Name of the database in the instance. */
const databaseName = 'warren';

/** A private PostgreSQL in RDS that takes logins by IAM. */
export class Database extends Construct {
  readonly instance: DatabaseInstance;

  constructor(scope: Construct, id: string, props: DatabaseProps) {
    super(scope, id);
    const { name, network, instanceType, multiAz, storageGiB, connections, ownerName, owner, key } = props;
    // RDS would create them without a retention.
    const logs = ['postgresql', 'upgrade'];
    const groups = logs.map((log) => {
      const logGroupName = `/aws/rds/instance/${name}/${log}`;
      return new LogGroup(this, `Log-${log}`, {
        logGroupName,
        retention: RetentionDays.ONE_MONTH,
        // A first deployment that fails must not leave the name taken.
        removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
      });
    });
    this.instance = new DatabaseInstance(this, 'Instance', {
      instanceIdentifier: name,
      engine: DatabaseInstanceEngine.postgres({ version: PostgresEngineVersion.VER_17 }),
      instanceType: new InstanceType(instanceType),
      vpc: network.vpc,
      vpcSubnets: network.subnetsOf('database'),
      securityGroups: [network.database],
      publiclyAccessible: false,
      databaseName,
      credentials: Credentials.fromSecret(owner, ownerName),
      iamAuthentication: true,
      parameters: { max_connections: String(connections), 'rds.force_ssl': '1' },
      caCertificate: CaCertificate.RDS_CA_RSA2048_G1,
      multiAz,
      storageType: StorageType.GP3,
      allocatedStorage: storageGiB,
      storageEncrypted: true,
      storageEncryptionKey: key,
      backupRetention: Duration.days(14),
      preferredBackupWindow: '01:00-02:00',
      preferredMaintenanceWindow: 'sun:03:00-sun:04:00',
      autoMinorVersionUpgrade: true,
      cloudwatchLogsExports: logs,
      deletionProtection: true,
      removalPolicy: RemovalPolicy.SNAPSHOT,
    });
    this.instance.node.addDependency(...groups);
    // It knows minor versions only. RDS takes the newest one of a major version, and another would be a step back after an upgrade.
    ignoreLint(this.instance, 'W3691');
  }

  /**
   * URL for functions, which check the certificate with the authorities of RDS that Lambda has in a file.
   *
   * @param login name and password, or the name alone of a user that logs in by IAM.
   */
  url(login: string, further: readonly string[] = []): string {
    const parameters = ['sslmode=verify-full', 'sslrootcert=/var/runtime/ca-cert.pem', ...further].join('&');
    const { dbInstanceEndpointAddress: host } = this.instance;
    return Fn.join('', ['postgres://', login, '@', host, `:5432/${databaseName}?${parameters}`]);
  }
}
