/**
 * Breaks a cluster of workers and an edge, each a process of its own, in every way it knows, while
 * clients hold conversations whose answers are known beforehand.
 *
 *   npm run test:faults:cluster -- [--faults 500] [--seed 7] [--workers 4] [--discovery static|registry]
 *     [--json <file>]
 *
 * The last line is JSON. Exit code 1 if a promise was broken.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { commandLine } from '../../../gpu-worker/bench/command-line.ts'
import { provenance } from '../../eval/provenance.ts'
import { runCluster } from './run-cluster.ts'

const { values } = commandLine({
  options: {
    faults: { type: 'string', default: '500' },
    seed: { type: 'string', default: '7' },
    workers: { type: 'string', default: '4' },
    discovery: { type: 'string', default: 'static' },
    json: { type: 'string' },
  },
})
const [faults, seed, workers] = [values.faults, values.seed, values.workers].map(Number)

// Ends through `exit`, which takes processes and disks along.
process.once('SIGTERM', () => process.exit(143))
process.once('SIGINT', () => process.exit(130))

const root = await mkdtemp(path.join(tmpdir(), 'setblock-cluster-'))
const startedMs = performance.now()
try {
  const report = await runCluster({
    root,
    workers: workers!,
    faults: faults!,
    seed: seed!,
    discovery: values.discovery === 'registry' ? 'registry' : 'static',
    say: (line) => process.stdout.write(`${line}\n`),
  })
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  const whole = { seed, ...provenance(), seconds, ...report }
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(whole, null, 1)}\n`)
  process.stdout.write(`${JSON.stringify(whole)}\n`)
  process.exitCode = report.violationsTotal === 0 ? 0 : 1
} finally {
  await rm(root, { recursive: true, force: true })
}
