#!/usr/bin/env node
import '../../bin/hushd.js';
