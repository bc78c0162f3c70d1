#!/usr/bin/env node
'use strict';
const { existsSync } = require('node:fs');

// The AWS SDK recommends a newer Node. That concerns the maintainers, not the user of a command.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

// A worker starts this file again for the process of a function, which needs no other command.
const isFunction = process.argv[2] === 'function-process';
// In its own repository the package is TypeScript, which needs a loader.
if (existsSync(`${__dirname}/main.js`)) isFunction ? import('./function-process.js') : import('./main.js');
else
  import('tsx/esm/api').then(({ register }) => {
    register();
    return isFunction ? import('./function-process.ts') : import('./main.ts');
  });
