#!/usr/bin/env node
import { hasRequiredNode, mainFile } from './require-node.js';

if (hasRequiredNode('hush')) import(mainFile('cli'));
