#!/usr/bin/env node
require('./start.js').start('docker-credential-hush', 'cli/doors/docker/main', ['get']);
