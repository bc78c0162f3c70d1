// The function that turns an access key of IAM into a login at the SMTP interface of SES: CloudFormation cannot calculate its password.
const { createHmac } = require('node:crypto');

/** https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html, version 4. */
exports.smtpPassword = (secretKey, region) => {
  let key = Buffer.from(`AWS4${secretKey}`);
  for (const part of ['11111111', region, 'ses', 'aws4_request', 'SendRawEmail']) {
    key = createHmac('sha256', key).update(part).digest();
  }
  return Buffer.concat([Buffer.of(4), key]).toString('base64');
};

/** Stores `smtps://name:password@host:465` in a secret, and answers CloudFormation. A removal changes nothing. */
exports.handler = async (event) => {
  const { StackId, RequestId, LogicalResourceId } = event;
  let result = { Status: 'SUCCESS' };
  try {
    if (event.RequestType !== 'Delete') await store(event.ResourceProperties);
  } catch (error) {
    console.error(error);
    result = { Status: 'FAILED', Reason: `the login of SES: ${error.message}`.slice(0, 1000) };
  }
  const body = JSON.stringify({
    StackId,
    RequestId,
    LogicalResourceId,
    PhysicalResourceId: LogicalResourceId,
    ...result,
  });
  // The signature is for an empty content type.
  const headers = { 'content-type': '' };
  const { ok, status } = await fetch(event.ResponseURL, { method: 'PUT', headers, body });
  if (!ok) throw new Error(`CloudFormation's address for the answer refuses it with ${status}`);
};

async function store({ keySecret, urlSecret, region, host }) {
  const {
    SecretsManagerClient,
    GetSecretValueCommand,
    PutSecretValueCommand,
  } = require('@aws-sdk/client-secrets-manager');
  const client = new SecretsManagerClient({});
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: keySecret }));
  const { id, key } = JSON.parse(SecretString);
  const url = new URL(`smtps://${host}:465`);
  url.username = id;
  url.password = encodeURIComponent(exports.smtpPassword(key, region));
  await client.send(new PutSecretValueCommand({ SecretId: urlSecret, SecretString: url.href }));
}
