/**
 * Bytes that are nearly right, for everything that reads bytes from outside.
 *
 *   npm run fuzz -- [--cases 100000] [--seed 1] [--only <part of a target's name>]
 *
 * The last line is JSON; exit code 1 when something was neither taken nor properly refused. A
 * finding names its input in base64, and the seed makes it again.
 */
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import { provenance } from '../eval/provenance.ts'
import { runFuzz } from './run-fuzz.ts'
import { allTargets } from './targets.ts'

const { values } = commandLine({
  options: {
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
})
const seed = Number(values.seed)
const targets = (await allTargets()).filter(({ name }) => name.includes(values.only))
const startedMs = performance.now()
const casesEach = Math.ceil(Number(values.cases) / targets.length)
const { counts, findings } = await runFuzz(targets, { casesEach, seed })
for (const [name, { cases, taken, refused }] of Object.entries(counts)) {
  process.stdout.write(`${name}: ${cases} cases, ${taken} taken, ${refused} refused\n`)
}
for (const finding of findings) process.stdout.write(`FINDING ${JSON.stringify(finding)}\n`)
const seconds = Math.round((performance.now() - startedMs) / 1000)
const cases = casesEach * targets.length
const report = { seed, ...provenance(), seconds, cases, findings: findings.length, counts }
process.stdout.write(`${JSON.stringify(report)}\n`)
process.exitCode = findings.length === 0 ? 0 : 1
