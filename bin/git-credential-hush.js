#!/usr/bin/env node
require('./start.js').start('git-credential-hush', 'cli/doors/git/main', ['get']);
