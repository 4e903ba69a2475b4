#!/usr/bin/env node
require('./start.js').start('hush', 'cli/main', ['get', 'run']);
