#!/usr/bin/env node
import { hasRequiredNode, mainFile } from './require-node.js';

if (hasRequiredNode('hushd')) {
  import('./compile-cache.js').then(({ keepCompiledCode }) => {
    keepCompiledCode();
    return import(mainFile('daemon'));
  });
}
