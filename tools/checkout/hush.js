#!/usr/bin/env -S node --
import '../../bin/hush.js';
