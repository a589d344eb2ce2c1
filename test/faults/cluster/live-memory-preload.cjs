/**
 * Loaded into a service before its own code, in each of its threads; needs Node's --expose-gc. At SIGUSR2 every thread
 * collects its garbage and adds what is left to the file that SETBLOCK_TEST_LIVE_FILE names, as a line of JSON.
 */
'use strict'
const { appendFileSync } = require('node:fs')
const { BroadcastChannel, isMainThread, threadId } = require('node:worker_threads')

const file = process.env.SETBLOCK_TEST_LIVE_FILE

function collect() {
  globalThis.gc()
  const { heapUsed: heapBytes, external: externalBytes } = process.memoryUsage()
  appendFileSync(file, `${JSON.stringify({ threadId, heapBytes, externalBytes })}\n`)
}

if (file !== undefined) {
  const threads = new BroadcastChannel('setblock-test-collect')
  threads.unref()
  if (isMainThread) {
    process.on('SIGUSR2', () => {
      threads.postMessage('collect')
      collect()
    })
  } else threads.onmessage = collect
}
