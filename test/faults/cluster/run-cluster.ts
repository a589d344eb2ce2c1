import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { Random } from '../random.ts'
import { Cluster, type Discovery } from './cluster.ts'
import { answerAll, CONVERSATIONS, type Expected } from './conversations.ts'
import { Disk } from './disk.ts'
import { planFaults } from './fault-plan.ts'
import { Findings } from './findings.ts'
import { Injector } from './injector.ts'
import { PasserBy, Repeater, Resumer, type LoadClient, type LoadOptions } from './load.ts'
import { checkQuiescence } from './quiescence.ts'
import { SessionClient } from './session-client.ts'
import { Stranger } from './stranger.ts'

export interface ClusterRunOptions {
  readonly root: string
  readonly workers: number
  readonly faults: number
  readonly seed: number
  /** Different conversations that clients hold; all there are by default. */
  readonly conversations?: number
  readonly discovery?: Discovery
  readonly say: (line: string) => void
}

export interface ClusterReport {
  readonly workers: number
  readonly discovery: Discovery
  readonly counts: Readonly<Record<string, number>>
  /** Errors that clients were told, by code. */
  readonly errors: Readonly<Record<string, number>>
  /** The same while workers were replaced one after the other and nothing else happened. */
  readonly errorsWhileUpgrading: Readonly<Record<string, number>>
  readonly violations: Readonly<Record<string, number>>
  readonly violationsTotal: number
  readonly examples: readonly string[]
  readonly handlesMax: number
  /** Whether there was a disk that can run full and stop. */
  readonly disk: boolean
}

const TENANTS = ['red', 'green']
const SAY_EVERY = 25

/** Four kinds of clients and a stranger against a cluster that is broken all the time. */
export async function runCluster(options: ClusterRunOptions): Promise<ClusterReport> {
  const { root, workers, faults, seed, say, conversations = CONVERSATIONS.length } = options
  const { discovery = 'static' } = options
  const expected = await answersOfUndisturbed(path.join(root, 'undisturbed'), conversations)
  const disk = await Disk.mount(root)
  const sessionsFolder = disk?.folder ?? path.join(root, 'sessions')
  const cluster = await Cluster.start({ root, workers, discovery, sessionsFolder, memoryMb: 16 })
  const findings = new Findings(say)
  try {
    const injector = new Injector(cluster, disk, findings)
    const clients = await withLoad(
      { cluster, expected, findings, seed, fickle: true },
      async () => {
        for (const fault of planFaults(new Random(seed), faults, workers)) {
          await injector.inject(fault)
          if (fault.serial % SAY_EVERY === 0) say(describe(findings))
        }
        await injector.over()
      },
    )
    say(`quiet: ${describe(findings)}`)
    let handlesMax = await checkQuiescence(cluster, clients, findings)
    const errors = { ...findings.errors }
    const upgrading = await upgrade({
      cluster,
      expected,
      findings,
      seed: seed + 1,
      fickle: false,
    })
    handlesMax = Math.max(handlesMax, await checkQuiescence(cluster, upgrading, findings))
    say(`upgraded: ${describe(findings)}`)
    return {
      workers,
      discovery,
      counts: findings.counts,
      errors,
      errorsWhileUpgrading: difference(findings.errors, errors),
      violations: { ...findings.violations },
      violationsTotal: findings.total,
      examples: findings.examples,
      handlesMax,
      disk: disk !== null,
    }
  } finally {
    await cluster.close()
    disk?.unmount()
  }
}

type Load = Pick<LoadOptions, 'cluster' | 'expected' | 'findings' | 'fickle'> & { seed: number }

/** Runs all clients for the time of some work, and waits until each has finished what it began. */
async function withLoad(load: Load, work: () => Promise<void>): Promise<SessionClient[]> {
  const { cluster, seed, ...rest } = load
  let over = false
  const keys = await Promise.all(TENANTS.map((tenant) => cluster.createKey(tenant)))
  let serial = 0
  const next = (): LoadOptions => {
    const place = serial % TENANTS.length
    serial += 1
    return {
      ...rest,
      cluster,
      random: new Random(seed * 1000 + serial),
      tenant: TENANTS[place]!,
      key: keys[place]!,
      name: `client-${seed}-${serial}`,
      isOver: () => over,
    }
  }
  const holders = Array.from({ length: 4 }, () => new SessionClient(next()))
  const stranger = new Stranger(next(), () => holders.flatMap(({ held }) => held))
  const clients: LoadClient[] = [
    ...holders,
    new PasserBy(next()),
    new Resumer(next()),
    new Repeater(next()),
    stranger,
  ]
  const running = Promise.all(clients.map((client) => client.run()))
  // A client that cannot go on ends the run at once.
  await Promise.race([work(), running])
  over = true
  await running
  return holders
}

/** Replaces one worker after the other while clients go on, as an operator does. */
async function upgrade(load: Load): Promise<SessionClient[]> {
  const { cluster, findings } = load
  return withLoad(load, async () => {
    for (const seat of cluster.seats) {
      findings.count('faults')
      findings.count('fault-upgrade')
      await seat.replace('stop', 0)
    }
  })
}

async function answersOfUndisturbed(root: string, count: number): Promise<Expected[][]> {
  await mkdir(root, { recursive: true })
  const cluster = await Cluster.start({ root, workers: 1, memoryMb: 0 })
  try {
    const key = await cluster.createKey('undisturbed')
    return await answerAll({ url: cluster.url, key }, count)
  } finally {
    await cluster.close()
  }
}

function describe({ counts, total }: Findings): string {
  const of = (what: string): number => counts[what] ?? 0
  return (
    `${of('faults')} faults, ${of('acknowledged')} turns acknowledged, ` +
    `${of('continued-elsewhere')} elsewhere, ends ${of('answers-end')}, ` +
    `errors ${of('answers-error')}, left ${of('answers-left')}, ` +
    `broken ${of('answers-broken')}, violations ${total}`
  )
}

/** What was counted after `before`. */
function difference(
  after: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Record<string, number> {
  const rises = Object.entries(after).map(
    ([name, count]) => [name, count - (before[name] ?? 0)] as const,
  )
  return Object.fromEntries(rises.filter(([, rise]) => rise > 0))
}
