/**
 * Loaded into a service before its own code: its clock of the day is off by what the file says that
 * SETBLOCK_TEST_CLOCK_FILE names, in milliseconds. Timers and monotonic time go on as they are.
 */
'use strict'
const { readFileSync } = require('node:fs')

const POLL_MS = 20
const file = process.env.SETBLOCK_TEST_CLOCK_FILE
const realNow = Date.now
let offsetMs = 0

function readOffset() {
  try {
    offsetMs = Number(readFileSync(file, 'utf8')) || 0
  } catch {
    offsetMs = 0
  }
}

if (file !== undefined) {
  readOffset()
  setInterval(readOffset, POLL_MS).unref()
  Date.now = () => realNow() + offsetMs
}
