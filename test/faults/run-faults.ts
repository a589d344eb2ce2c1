import { buildModel } from '../../gpu-worker/src/model-builder/build-model.ts'
import { noCounts, type Counts } from './ledger.ts'
import { Random } from './random.ts'
import { SessionRounds } from './session-rounds.ts'
import { fullDisk, type FullDiskResult } from './full-disk.ts'
import { twoWriters, type TwoWritersResult } from './two-writers.ts'
import { WorkerProcess } from './worker-process.ts'

export interface FaultOptions {
  /** A copy of a model folder; an fp32 graph is added to it. */
  readonly modelFolder: string
  /** Where the workers keep their sessions. */
  readonly folder: string
  readonly restores: number
  /** Sessions alive at once. */
  readonly sessions: number
  readonly seed: number
  readonly say: (line: string) => void
}

export interface FaultReport extends Counts {
  readonly upgrades: number
  readonly twoWriters: TwoWritersResult
  /** Null where no small file system can be mounted. */
  readonly fullDisk: FullDiskResult | null
}

const DAMAGE_EVERY = 2
const STATE_DAMAGE_EVERY = 7
const UPGRADE_EVERY = 5
const ROUNDS_MAX = 2000

export async function runFaults(options: FaultOptions): Promise<FaultReport> {
  const { modelFolder, folder, seed, sessions } = options
  const model = 'setblock-nano'
  const random = new Random(seed)
  const counts = noCounts()
  await buildModel({ folder: modelFolder, targets: ['fp32'] })
  const memoryless = { modelFolder, memoryMb: 0 }
  const oracles = {
    int8: await WorkerProcess.start(memoryless),
    fp32: await WorkerProcess.start({ ...memoryless, precision: 'fp32' }),
  }
  try {
    const rounds = new SessionRounds({ modelFolder, model, folder, sessions }, random, counts)
    const upgrades = await runRounds(rounds, oracles, options, counts)
    const writers = await twoWriters({ modelFolder, model, folder: `${folder}-two` })
    const disk = await fullDisk({ modelFolder, model, folder: `${folder}-full` })
    return { ...counts, upgrades, twoWriters: writers, fullDisk: disk }
  } finally {
    await Promise.all([oracles.int8.stop(), oracles.fp32.stop()])
  }
}

/** Lives of workers, one after the other, until enough sessions were restored. */
async function runRounds(
  rounds: SessionRounds,
  oracles: { int8: WorkerProcess; fp32: WorkerProcess },
  { restores, say }: FaultOptions,
  counts: Counts,
): Promise<number> {
  let upgrades = 0
  for (let round = 1; counts.restores < restores && round <= ROUNDS_MAX; round += 1) {
    const upgraded = round % UPGRADE_EVERY === 0
    const precision = upgraded ? 'fp32' : 'int8'
    await rounds.round(oracles[precision], precision)
    if (upgraded) upgrades += 1
    if (round % DAMAGE_EVERY === 0) await rounds.damage()
    if (round % STATE_DAMAGE_EVERY === 0) await rounds.damageState()
    const { restores: done, kills, wrongTokens, lostTurns, crossTenantHits } = counts
    say(
      `round ${round}: ${done} restores, ${kills} kills, wrong ${wrongTokens}, lost ${lostTurns}, ` +
        `cross-tenant ${crossTenantHits}`,
    )
  }
  return upgrades
}
