/**
 * A checkpoint of real size with random weights through the model builder and the engine: how fast it
 * is built and loaded, how much memory both take, and what forwards cost.
 *
 *   npm run bench:build -- [--parameters 1b|8b] [--target cpu-int8] [--folder FOLDER] [--no-serve]
 *
 * Writes the checkpoint (2.5 GB for 1b, 16 GB for 8b) and the model into FOLDER, a temporary one if
 * absent, and removes both. The last line is JSON.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import { LARGE_SHAPES, writeLargeCheckpoint, type LargeName } from './large-checkpoint.ts'
import { saveAndPrint, stamp } from './results-file.ts'

const ROWS = '1,16,32'

interface BuildFacts {
  readonly seconds: number
  /** Of all threads: what is left to compare where other programs share the machine. */
  readonly cpuSeconds: number
  readonly checkpointBytes: number
  readonly graphBytes: number
  readonly peakRssBytes: number
}

interface ServeFacts {
  readonly digestSeconds: number
  readonly loadSeconds: number
  readonly forwards: readonly { rows: number; ms: { median: number; fastestTenth: number } }[]
  readonly tokensPerSecond: number
  readonly peakRssBytes: number
}

const { values } = commandLine({
  allowNegative: true,
  options: {
    parameters: { type: 'string', default: '1b' },
    target: { type: 'string', default: 'cpu-int8' },
    folder: { type: 'string' },
    serve: { type: 'boolean', default: true },
  },
})
const { parameters: name, target } = values
if (!isLargeName(name)) throw new Error('--parameters is 1b or 8b')

const before = stamp()
const folder = values.folder ?? (await mkdtemp(path.join(tmpdir(), 'setblock-build-bench-')))
const [checkpoint, model] = [path.join(folder, 'checkpoint'), path.join(folder, 'model')]
try {
  await mkdir(checkpoint, { recursive: true })
  const parameters = await writeLargeCheckpoint(checkpoint, name)
  const built = await runStep<BuildFacts>('build', checkpoint, model, target)
  const bytesPerSecond = built.checkpointBytes / built.seconds
  process.stdout.write(
    `${name}: ${gigabytes(built.checkpointBytes)} of weights to ${target} in ${built.seconds.toFixed(1)} s, ` +
      `${Math.round(bytesPerSecond / 1e6)} MB/s, ${built.cpuSeconds.toFixed(1)} s of processor time, peak ${gigabytes(built.peakRssBytes)}\n`,
  )
  const served = values.serve ? await runStep<ServeFacts>('serve', model, ROWS) : undefined
  if (served !== undefined) print(served)
  await saveAndPrint(`build-${name}-${target}`, {
    ...before,
    bench: 'build',
    model: name,
    parameters,
    target,
    build: { ...built, bytesPerSecond },
    ...(served && { serve: served }),
  })
} finally {
  await rm(checkpoint, { recursive: true, force: true })
  await rm(model, { recursive: true, force: true })
  if (values.folder === undefined) await rm(folder, { recursive: true, force: true })
}

async function runStep<T>(...args: string[]): Promise<T> {
  const script = path.join(import.meta.dirname, 'build-steps.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...args])
  return JSON.parse(stdout) as T
}

function print(served: ServeFacts): void {
  const forwards = served.forwards.map(({ rows, ms }) => `t(${rows}) ${ms.median.toFixed(1)} ms`)
  process.stdout.write(
    `digests ${served.digestSeconds.toFixed(1)} s, load ${served.loadSeconds.toFixed(1)} s, ${forwards.join(', ')}, ` +
      `ntp ${served.tokensPerSecond.toFixed(1)} tokens/s, peak ${gigabytes(served.peakRssBytes)}\n`,
  )
}

function isLargeName(text: string): text is LargeName {
  return Object.hasOwn(LARGE_SHAPES, text)
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`
}
