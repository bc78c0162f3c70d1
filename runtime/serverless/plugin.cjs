'use strict';
const { existsSync } = require('node:fs');

// The serverless CLI loads plugins with require(). In its own repository the package is TypeScript, which needs a loader.
const compiled = existsSync(`${__dirname}/plugin.js`);
if (!compiled) require('tsx/cjs/api').register();
module.exports = require(compiled ? './plugin.js' : './plugin.ts').default;
