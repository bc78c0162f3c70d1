// The sources are TypeScript and are run as they are; tsx takes the types out.
import { register } from 'tsx/esm/api';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

register();
await import('./lambda-api.ts');
