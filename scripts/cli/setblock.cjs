#!/usr/bin/env node
// The command `setblock`: on a Node that can run the sources as they are, see require-node.cjs.
'use strict'

require('../require-node.cjs')
void import('./main.ts')
