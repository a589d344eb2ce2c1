import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { bundledModel } from '../eval/provenance.ts'
import { WorkerProcess } from './worker-process.ts'

test('a worker stops although somebody is connected and never asks', async () => {
  const worker = await WorkerProcess.start({ modelFolder: bundledModel })
  const silent = connect(Number(new URL(worker.url).port), '127.0.0.1')
  await once(silent, 'connect')
  const closed = once(silent.resume(), 'close')
  await worker.counts()
  await worker.stop()
  await closed
})
