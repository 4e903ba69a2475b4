#!/usr/bin/env -S node --
require('./start.js').start('hush', 'cli/main', ['get', 'run']);
