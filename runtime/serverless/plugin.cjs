'use strict';
// The serverless CLI loads plugins with require(); this registers a loader for TypeScript and hands over.
require('tsx/cjs/api').register();
module.exports = require('./plugin.ts').default;
