#!/usr/bin/env node
// The sources are TypeScript and are run as they are; tsx takes the types out.
import { register } from 'tsx/esm/api';

// The SDK's advice to move to another Node is for developers of this project, not for users of the command.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

register();
// A worker starts this file again for the process of a function, which needs no other command.
await import(process.argv[2] === 'function-process' ? '../runtime/cli/function-process.ts' : './main.ts');
