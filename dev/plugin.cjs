'use strict';
// The serverless CLI loads plugins with require(); this registers a loader for TypeScript first.
require('tsx/cjs/api').register();
module.exports = require('./plugin.ts').default;
