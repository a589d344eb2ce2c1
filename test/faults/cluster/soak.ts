/**
 * Workers and an edge under a steady load of sessions and single requests, with no faults.
 *
 *   npm run soak -- [--minutes 10] [--rate 4] [--workers 4] [--seed 1] [--json <file>]
 *   npm run soak -- --requests 2500 [--clients 4]
 *
 * `--rate`: requests that arrive in a second, whether the others have been answered or not; `npm run load --
 * --workers 4 --find-knee` on the same cores says what they can take. `--requests`: so many instead, each client waiting
 * for its answers. Prints the memory of each process over time, how evenly the workers share the work, and how many
 * turns of a session stayed with its worker. The last line is JSON. Exit code 1 if memory grew, a job was left, a slot was
 * not free, an answer was wrong, or fewer than 99 % of turns stayed.
 *
 * Memory as the system counts it is a saw-tooth: a heap fills with garbage for minutes before it is collected. It also
 * rises by a step when more jobs run at once than ever before, since caches take the memory that they may have as they are
 * used. So many clients at once fill those first, and what each process has is counted twice, after a fifth of the run and
 * near its end, with all garbage collected. It grew if heaps held more by half a megabyte a minute, or the system counted
 * 2 MB a minute more then.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { commandLine } from '../../../gpu-worker/bench/command-line.ts'
import { provenance } from '../../eval/provenance.ts'
import { Random } from '../random.ts'
import { Affinity } from './affinity.ts'
import { Cluster, liveFileOf } from './cluster.ts'
import { answerAll, type Expected } from './conversations.ts'
import { Findings } from './findings.ts'
import { describeLive, liveMemory, type LiveMemory } from './live-memory.ts'
import { describeMemory, nodeMemory, type NodeMemorySample } from './process-memory.ts'
import { checkQuiescence } from './quiescence.ts'
import { Arrivals } from './arrivals.ts'

const SAMPLE_MS = 5_000
const SAY_EVERY = 12
const RESIDENT_SLOPE_MAX = 2
const HEAP_SLOPE_MAX = 0.5
/** For each worker, before anything is counted: more at once than may run, so that all caches have been in use. */
const FILLING = { clients: 20, requests: 60 }
/** Parts of the run after which what processes hold is counted. */
const COUNTED_AT = [0.2, 0.98]
const STAYED_MIN = 0.99

const { values } = commandLine({
  options: {
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '4' },
    workers: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
    requests: { type: 'string' },
    clients: { type: 'string', default: '4' },
    json: { type: 'string' },
  },
})
const [minutes, rate, seed, workers] = [
  Number(values.minutes),
  Number(values.rate),
  Number(values.seed),
  Number(values.workers),
]

process.once('SIGTERM', () => process.exit(143))
process.once('SIGINT', () => process.exit(130))

const root = await mkdtemp(path.join(tmpdir(), 'setblock-soak-'))
const affinity = new Affinity()
const cluster = await Cluster.start({
  root,
  workers,
  sessionsFolder: path.join(root, 'sessions'),
  memoryMb: 16,
  live: true,
  onRequestBytes: (seat, chunk) => affinity.see(seat, chunk),
})
try {
  const key = await cluster.createKey('soak')
  const expected: Expected[][] = await answerAll({ url: cluster.url, key }, 18)
  const findings = new Findings((line) => process.stdout.write(`${line}\n`))
  const random = new Random(seed)
  const arrivals = new Arrivals({ cluster, expected, findings, random, key })
  const { pid, ready } = cluster.edge
  const watched = [
    { name: 'edge', pid, metricsUrl: String(ready['metricsUrl']) },
    ...cluster.seats.map(({ worker }, index) => ({
      name: `worker-${index}`,
      pid: worker.pid,
      metricsUrl: `${worker.url}/metrics`,
    })),
  ].map((each) => ({ ...each, liveFile: liveFileOf(root, each.name) }))
  const samples: NodeMemorySample[][] = watched.map(() => [])
  const counts: { readonly asked: number; readonly live: readonly LiveMemory[] }[] = []
  const freeSlots = { before: await cluster.freeSlots(), after: [] as number[] }
  await arrivals.runClosed(FILLING.requests * workers, FILLING.clients * workers)
  const startedMs = performance.now()
  const elapsedMinutes = (): number => (performance.now() - startedMs) / 60_000
  const over = new AbortController()
  const requests = values.requests === undefined ? undefined : Number(values.requests)
  const passed = (): number =>
    requests === undefined ? elapsedMinutes() / minutes : arrivals.asked / requests
  const arriving =
    requests === undefined
      ? arrivals.run(rate, () => elapsedMinutes() >= minutes)
      : arrivals.runClosed(requests, Number(values.clients))
  const ended = arriving.then(() => over.abort())
  while (!over.signal.aborted) {
    await Promise.race([sleep(SAMPLE_MS), ended])
    const minute = elapsedMinutes()
    // What is sampled behind the last collection is not what a service looks like that nobody asks to collect.
    if (counts.length < COUNTED_AT.length) {
      for (const [index, each] of watched.entries()) {
        samples[index]!.push(await nodeMemory(each, minute))
      }
    }
    if (passed() >= (COUNTED_AT[counts.length] ?? Infinity)) {
      const live = await Promise.all(watched.map((each) => liveMemory(each, minute)))
      counts.push({ asked: arrivals.asked, live })
    }
    if (samples[0]!.length % SAY_EVERY !== 0) continue
    const megabytes = samples.map((each) => Math.round(each.at(-1)!.residentMb)).join(' ')
    const { turns, moved } = affinity
    process.stdout.write(
      `minute ${minute.toFixed(1)}: ${arrivals.asked} asked, ${arrivals.open} open, ` +
        `${turns} turns, ${moved} moved, MB ${megabytes}\n`,
    )
  }
  const handlesMax = await checkQuiescence(cluster, [], findings)
  freeSlots.after = await cluster.freeSlots()
  const [first, last] = counts
  if (first === undefined || last === undefined) throw new Error('the run was too short')
  const askedBetween = last.asked - first.asked
  const memory = Object.fromEntries(
    watched.map(({ name }, index) => {
      const live = describeLive(first.live[index]!, last.live[index]!, askedBetween)
      return [name, { ...describeMemory(samples[index]!), live }]
    }),
  )
  const report = {
    seed,
    ...provenance(),
    minutes: elapsedMinutes(),
    ...(requests === undefined ? { rate } : { clients: Number(values.clients) }),
    workers,
    asked: arrivals.asked,
    answers: findings.counts,
    errors: findings.errors,
    memory,
    sessionTurns: affinity.turns,
    turnsMoved: affinity.moved,
    turnsStayed: affinity.stayed,
    turnsByWorker: affinity.bySeat,
    freeSlots,
    handlesMax,
    violations: findings.violations,
    examples: findings.examples,
  }
  const line = JSON.stringify(report)
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`)
  process.stdout.write(`${line}\n`)
  const flat = Object.values(memory).every(
    ({ live }) =>
      live.residentSlopeMbPerMinute <= RESIDENT_SLOPE_MAX &&
      live.heapSlopeMbPerMinute <= HEAP_SLOPE_MAX,
  )
  const balanced = freeSlots.before.join() === freeSlots.after.join()
  const good = flat && balanced && findings.total === 0 && affinity.stayed >= STAYED_MIN
  process.exitCode = good ? 0 : 1
} finally {
  await cluster.close()
  await rm(root, { recursive: true, force: true })
}
