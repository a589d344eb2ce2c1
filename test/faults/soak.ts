/**
 * Many sessions, continued at random under a small memory budget, while the worker's memory is watched.
 *
 *   npm run soak:sessions -- [--minutes 10] [--sessions 500] [--seed 1] [--memory-mb 16]
 *
 * The last line is JSON; exit code 1 if the budget was exceeded or memory grew without end.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import { bundledModel, provenance } from '../eval/provenance.ts'
import { fitLine, residentMb } from './cluster/process-memory.ts'
import { noCounts } from './ledger.ts'
import { Random } from './random.ts'
import { SessionRounds } from './session-rounds.ts'
import { WorkerProcess } from './worker-process.ts'

const MEGABYTE = 1024 * 1024
const SAMPLE_MS = 2_000
/** Megabytes a minute over the second half of the soak; the first half fills caches and heaps. */
const SLOPE_MAX = 2

const { values } = commandLine({
  options: {
    minutes: { type: 'string', default: '10' },
    sessions: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    'memory-mb': { type: 'string', default: '16' },
  },
})
const minutes = Number(values.minutes)
const memoryMb = Number(values['memory-mb'])

interface Sample {
  readonly minute: number
  readonly residentMb: number
  readonly cacheMb: number
}

async function sample(worker: WorkerProcess, startedMs: number): Promise<Sample> {
  const { memoryBytes } = await worker.counts()
  return {
    minute: (performance.now() - startedMs) / 60_000,
    residentMb: residentMb(worker.pid),
    cacheMb: (memoryBytes ?? 0) / MEGABYTE,
  }
}

const folder = await mkdtemp(path.join(tmpdir(), 'setblock-soak-'))
const worker = await WorkerProcess.start({
  modelFolder: bundledModel,
  folder,
  memoryMb,
  diskMb: 64,
})
try {
  const counts = noCounts()
  const random = new Random(Number(values.seed))
  const options = {
    modelFolder: bundledModel,
    model: 'setblock-nano',
    folder,
    sessions: Number(values.sessions),
  }
  const rounds = new SessionRounds(options, random, counts)
  const startedMs = performance.now()
  const samples: Sample[] = []
  while (performance.now() - startedMs < minutes * 60_000) {
    const until = performance.now() + SAMPLE_MS
    while (performance.now() < until) await rounds.someTurns(worker)
    samples.push(await sample(worker, startedMs))
  }
  const late = samples.slice(Math.floor(samples.length / 2))
  const cacheMbMax = Math.max(...samples.map(({ cacheMb }) => cacheMb))
  const report = {
    seed: Number(values.seed),
    ...provenance(),
    minutes,
    sessions: options.sessions,
    turns: counts.turns,
    memoryMb,
    cacheMbMax,
    residentMbMax: Math.max(...samples.map(({ residentMb }) => residentMb)),
    slopeMbPerMinute: fitLine(late, (each) => each.residentMb).slope,
  }
  process.stdout.write(`${JSON.stringify(report)}\n`)
  process.exitCode = cacheMbMax <= memoryMb && report.slopeMbPerMinute <= SLOPE_MAX ? 0 : 1
} finally {
  await worker.stop()
  await rm(folder, { recursive: true, force: true })
}
