#!/usr/bin/env node
require('./start.js').start('age-plugin-hush', 'cli/doors/age/main');
