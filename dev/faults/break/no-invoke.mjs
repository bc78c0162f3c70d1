// Takes each call through a Lambda API for done, and makes none.
import { LambdaClient } from '@aws-sdk/client-lambda';

LambdaClient.prototype.send = async () => ({});
