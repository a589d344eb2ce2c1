/**
 * Entry of the engine thread. It owns the ONNX session, the KV pool and the step loop; the main thread keeps HTTP,
 * because a forward blocks the event loop of the thread it runs in. Never terminated from outside: a terminate() during
 * a forward aborts the whole process. It leaves by itself after a `stop` command.
 */
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import type { JobEvent } from '@setblock/shared'
import { openEngine } from '../engine/open-engine.ts'
import { Grammars } from '../grammar/grammars.ts'
import type { KvBlock } from '../scheduler/kv-carry.ts'
import { CostMeter } from '../scheduler/row-cost.ts'
import { Scheduler } from '../scheduler/scheduler.ts'
import { Outbox } from './outbox.ts'
import type { EngineCommand, EngineMessage, EngineThreadOptions, ThreadMemory } from './protocol.ts'

/** How often the main thread is told how the scheduler stands, if that has changed. */
const STATS_EVERY_MS = 500

async function main(port: MessagePort, options: EngineThreadOptions): Promise<void> {
  const send = (message: EngineMessage): void => port.postMessage(message)
  const outbox = new Outbox((events) => send({ type: 'events', events }))
  const { modelFolder, device = 'cpu', cores = availableParallelism(), measured } = options
  const busyEngines = new Int32Array(options.busyEngines)
  const opened = await openEngine({
    ...options,
    device,
    cores,
    sequencesMax: options.runningMax,
    wideFromRows: measured?.wideFromRows,
    coresAreFree: () => Atomics.load(busyEngines, 0) <= 1,
  })
  const { engine, manifest, form, engines, wideFromRows } = opened
  const { maskTokenId } = manifest
  const now = (): number => performance.now()
  const onFault = (error: unknown): void => send({ type: 'fault', message: messageOf(error) })
  const meter = new CostMeter(engine, now, measured?.cost)
  if (measured === undefined) await meter.measure()
  const { cost } = meter
  const costIsRough = measured?.costIsRough ?? !meter.settled
  const runningMax = Math.min(options.runningMax, engine.limits.sequencesMax)
  const grammars = new Grammars(path.join(modelFolder, manifest.tokenizer.file))
  const scheduler = new Scheduler({
    engine,
    maskTokenId,
    runningMax,
    cost,
    costIsRough,
    measureAgain: (mayGoOn) => meter.measureAgain(mayGoOn),
    now,
    onFault,
    openGrammar: (jsonSchema) => grammars.open(jsonSchema),
  })
  port.on('message', (command: EngineCommand) => {
    switch (command.type) {
      case 'submit': {
        const { job, carry } = command
        const jobId = job.id
        // Moved, not copied: the engine has no use for them any more.
        const keep = (blocks: readonly KvBlock[]): void =>
          port.postMessage(
            { type: 'kept', jobId, blocks } satisfies EngineMessage,
            blocks.map(({ buffer }) => buffer),
          )
        const emit = (event: JobEvent): void => outbox.add(jobId, event)
        return scheduler.submit(job, emit, carry && { ...carry, keep })
      }
      case 'cancel':
        return scheduler.cancel(command.jobId)
      case 'stop':
        return scheduler.stop()
    }
  })
  const found = { engines, cost: cost.points, costIsRough, wideFromRows }
  send({ type: 'ready', manifest, form, runningMax, measured: found })
  const reporting = reportStats(scheduler, send)
  try {
    await scheduler.run()
  } finally {
    clearInterval(reporting)
    outbox.flush()
    await engine.dispose()
    port.close()
  }
}

function reportStats(scheduler: Scheduler, send: (message: EngineMessage) => void): NodeJS.Timeout {
  let told = ''
  return setInterval(() => {
    const { stats } = scheduler
    const text = JSON.stringify(stats)
    if (text !== told) send({ type: 'stats', stats, memory: threadMemory() })
    told = text
  }, STATS_EVERY_MS)
}

function threadMemory(): ThreadMemory {
  const { heapUsed, external } = process.memoryUsage()
  return { heapBytes: heapUsed, externalBytes: external }
}

if (parentPort === null) throw new Error('the engine thread must be started as a worker thread')
const port = parentPort
main(port, workerData as EngineThreadOptions).catch((error: unknown) => {
  port.postMessage({ type: 'failed', message: messageOf(error) } satisfies EngineMessage)
  port.close()
})

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
