#!/usr/bin/env node
import { hasRequiredNode, mainFile } from './require-node.js';

if (hasRequiredNode('hushd')) import(mainFile('daemon'));
