import assert from 'node:assert/strict'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { bundledModel } from '../eval/provenance.ts'
import { runFaults } from './run-faults.ts'

test('killed, damaged, upgraded and doubled workers: no wrong token, no lost turn, no leak', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'setblock-faults-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const modelFolder = path.join(folder, 'setblock-nano')
  await cp(bundledModel, modelFolder, { recursive: true })
  const report = await runFaults({
    modelFolder,
    folder: path.join(folder, 'sessions'),
    restores: 30,
    sessions: 6,
    seed: 7,
    say: (line) => t.diagnostic(line),
  })
  assert.ok(report.restores >= 30 && report.kills > 0 && report.damagedBlocks > 0)
  assert.ok(report.cachedTokens > 0, 'nothing was ever restored')
  assert.equal(report.damagedStates, report.refusedDamaged)
  const { wrongTokens, lostTurns, crossTenantHits } = report
  assert.deepEqual([wrongTokens, lostTurns, crossTenantHits], [0, 0, 0])
  assert.ok(report.twoWriters.met > 0, 'the two writers never met')
  assert.deepEqual([report.twoWriters.undecided, report.twoWriters.wrongState], [0, 0])
  if (report.fullDisk === null) t.diagnostic('SKIPPED: a full disk (nothing can be mounted here)')
  else assert.ok(report.fullDisk.refused > 0 && report.fullDisk.lost === 0)
})
