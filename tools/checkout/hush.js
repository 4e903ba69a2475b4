#!/usr/bin/env node
import '../../bin/hush.js';
