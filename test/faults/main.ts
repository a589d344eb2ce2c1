/**
 * Kills, damages, upgrades and doubles workers over one folder of sessions and checks every text.
 *
 *   npm run test:faults -- [--restores 1000] [--seed 1] [--sessions 16]
 *
 * The last line is JSON. Exit code 1 if a token is wrong, an acknowledged turn lost, a tenant found
 * what is another's, or two workers disagree about a session.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import { bundledModel, provenance } from '../eval/provenance.ts'
import { runFaults } from './run-faults.ts'

const { values } = commandLine({
  options: {
    restores: { type: 'string', default: '1000' },
    sessions: { type: 'string', default: '16' },
    seed: { type: 'string', default: '1' },
  },
})

const folder = await mkdtemp(path.join(tmpdir(), 'setblock-faults-'))
try {
  const modelFolder = path.join(folder, 'setblock-nano')
  await cp(bundledModel, modelFolder, { recursive: true })
  const counts = await runFaults({
    modelFolder,
    folder: path.join(folder, 'sessions'),
    restores: Number(values.restores),
    sessions: Number(values.sessions),
    seed: Number(values.seed),
    say: (line) => process.stdout.write(`${line}\n`),
  })
  const report = { seed: Number(values.seed), ...provenance(), ...counts }
  process.stdout.write(`${JSON.stringify(report)}\n`)
  const { wrongTokens, lostTurns, crossTenantHits, twoWriters } = counts
  const { undecided, wrongState } = twoWriters
  const violations = wrongTokens + lostTurns + crossTenantHits + undecided + wrongState
  process.exitCode = violations === 0 ? 0 : 1
} finally {
  await rm(folder, { recursive: true, force: true })
}
