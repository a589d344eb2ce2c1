/**
 * What the forward times of this machine allow, and what is made of it.
 *
 *   npm run roofline
 *
 * Prints t(rows) beside its bound (bytes over bandwidth, operations over peak), then the speed-up that Eq. 16 of the
 * paper (arXiv 2509.04185) predicts from t(rows) beside the measured one. The last line is JSON, saved under
 * test/bench/results.
 */
import { availableParallelism } from 'node:os'
import { chooseThreads } from '../../gpu-worker/src/engine/choose-threads.ts'
import { loadModel, weightBytes } from '../../gpu-worker/src/engine/manifest.ts'
import { loadTokenizer } from '../eval/decode.ts'
import { bundledModel } from '../eval/provenance.ts'
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import { configurations, NTP } from './configurations.ts'
import type { RowTimes } from './cost-model.ts'
import { measurePeaks } from './machine-peaks.ts'
import { contenderOf, startOurs, type OurGeneration } from './ours.ts'
import { runPaired } from './paired.ts'
import { DIFFERENCE_MAX, predict, type Prediction } from './predictions.ts'
import { table, times } from './report.ts'
import { saveAndPrint, stamp } from './results-file.ts'
import { boundMs, forwardBytes, forwardOperations } from './row-bound.ts'
import { measureRowTimes } from './row-times.ts'
import { median, round } from './statistics.ts'
import { taskRequests } from './workload.ts'

const ROW_COUNTS = [1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64]
const PROMPTS = 45
const ROUNDS = 3
const CURVE_ROUNDS = 7

/** By cached positions. */
type Curves = ReadonlyMap<number, RowTimes>

commandLine({})
const facts = stamp()
const { manifest, encodeChat } = await loadTokenizer(bundledModel)
const { architecture } = manifest
const requests = await taskRequests(PROMPTS, encodeChat, manifest)

const engine = await startOurs(bundledModel)
const contenders = configurations(manifest).map(({ name, decoding }) =>
  contenderOf(engine, name, decoding),
)
const warmUp = await runPaired(contenders, requests.slice(0, 9), 1)
// The middle of a typical answer, and as many positions as leave room for the rows.
const lengths = (warmUp.get(NTP)?.[0] ?? []).map(
  ({ tokenIds, usage }) => usage.promptTokens + tokenIds.length / 2,
)
const typical = Math.round(median(lengths))
const full = manifest.contextLength - Math.max(...ROW_COUNTS)

// Decoding and forwards take turns, so that both see the machine in the same moods.
const measured = new Map<string, OurGeneration[][]>(contenders.map(({ name }) => [name, []]))
const causal: Curves[] = []
const withMasks: Curves[] = []
for (let index = 0; index < ROUNDS; index++) {
  const results = await runPaired(contenders, requests, 1)
  for (const [name, [own = []]] of results) measured.get(name)?.push([...own])
  const options = { cached: [typical, full], rowCounts: ROW_COUNTS, rounds: CURVE_ROUNDS }
  causal.push(await measureRowTimes(bundledModel, options))
  withMasks.push(await measureRowTimes(bundledModel, { ...options, masks: true }))
}
await engine.close()
const curve = (cached: number): RowTimes => medianCurve(causal, cached)

const loaded = await loadModel(bundledModel, 'int8')
const { threads: few, wideThreads } = chooseThreads({
  graphBytes: weightBytes(loaded),
  cores: availableParallelism(),
  engines: 0,
})
const threads = wideThreads ?? few
const peaks = await measurePeaks({ workingSetBytes: forwardBytes(architecture, full), threads })
const predictions = configurations(manifest)
  .filter(({ name }) => name !== NTP)
  .map((configuration) => {
    const curves = { ntp: curve(typical), own: medianCurve(withMasks, typical) }
    return predict(configuration, curves, measured)
  })

process.stdout.write(`${rowsTable()}${peaksText()}${predictionsTable()}`)
await saveAndPrint('roofline', {
  ...facts,
  threads,
  peaks: {
    gigabytesPerSecond: round(peaks.bytesPerSecond / 1e9, 1),
    gigaOperationsPerSecond: round(peaks.operationsPerSecond / 1e9, 1),
  },
  rowsMs: curvesJson(causal),
  rowsWithMasksMs: curvesJson(withMasks),
  predictions,
})

function medianCurve(rounds: readonly Curves[], cached: number): RowTimes {
  const times = (count: number): number[] =>
    rounds.map((curves) => curves.get(cached)?.get(count) as number)
  return new Map(ROW_COUNTS.map((count) => [count, median(times(count))]))
}

function curvesJson(rounds: readonly Curves[]): Record<string, Record<string, number>> {
  return Object.fromEntries(
    [typical, full].map((cached) => {
      const points = [...medianCurve(rounds, cached)]
      return [cached, Object.fromEntries(points.map(([rows, ms]) => [rows, round(ms, 4)]))]
    }),
  )
}

function rowsTable(): string {
  const base = curve(full).get(1) as number
  const rows = ROW_COUNTS.map((count) => {
    const ms = curve(full).get(count) as number
    const bound = boundMs(architecture, { cached: full, rows: count }, peaks)
    return [
      count,
      (curve(typical).get(count) as number).toFixed(3),
      (medianCurve(withMasks, typical).get(count) as number).toFixed(3),
      ms.toFixed(3),
      times(ms / base),
      bound.toFixed(3),
      times(ms / bound),
    ]
  })
  const header = [
    'rows',
    `ms, ${typical} cached`,
    'half masks',
    `ms, ${full} cached`,
    't(rows)/t(1)',
    'bound ms',
    'ms / bound',
  ]
  return table(
    `t(rows) of ${manifest.id}, up to ${threads} threads, ${facts.machine}`,
    header,
    rows,
  )
}

function peaksText(): string {
  const bytes = forwardBytes(architecture, full)
  const operations = forwardOperations(architecture, { cached: full, rows: 1 })
  return [
    `bound: ${(bytes / 1e6).toFixed(1)} MB a forward at ${(peaks.bytesPerSecond / 1e9).toFixed(0)} GB/s (read of such a working set),`,
    `${(operations / 1e6).toFixed(1)} million operations a row at ${(peaks.operationsPerSecond / 1e9).toFixed(0)} G/s (a large int8 product)\n`,
  ].join(' ')
}

function predictionsTable(): string {
  const header = [
    'mode',
    'forwards a block',
    'Eq. 16',
    'counted',
    'measured',
    'measured / counted',
    'besides: ntp ms',
    'besides: it ms',
    'with besides',
  ]
  const rows = predictions.map((p: Prediction) => [
    p.name,
    p.forwardsPerBlock?.toFixed(2) ?? '-',
    times(p.equation16),
    times(p.counted),
    times(p.measured),
    `${p.difference > 0 ? '+' : ''}${(100 * p.difference).toFixed(0)} %`,
    p.besidesMs.ntp.toFixed(3),
    p.besidesMs.own.toFixed(3),
    times(p.countedWithBesides),
  ])
  const far = predictions.filter(({ difference }) => Math.abs(difference) > DIFFERENCE_MAX)
  const names = far.map(({ name }) => name).join(', ') || 'none'
  return [
    table(
      'Speed-up against ntp, decoding alone: predicted from t(rows), and measured',
      header,
      rows,
    ),
    'Eq. 16 takes every block as full; counted takes the blocks, forwards and rows that there were. "besides" is the time of\n',
    'a step that t(rows) does not hold (scheduler, events, masks, a forward after one of another width); the last column\n',
    'adds what ntp has of it to every forward of both.\n',
    `More than ${100 * DIFFERENCE_MAX} % from counted: ${names}\n`,
  ].join('')
}
