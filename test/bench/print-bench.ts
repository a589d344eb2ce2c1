import { bestOf, type OurSummary, type PeerSummary } from './comparison.ts'
import { sbd, VERIFIED } from './configurations.ts'
import { against, percent, table, times } from './report.ts'
import type { ShapeResult } from './shapes.ts'
import type { Evenness } from './streams.ts'

/** What the tables are made of. */
export interface BenchResult {
  readonly machine: string
  readonly model: string
  readonly prompts: number
  readonly rounds: number
  readonly ours: Readonly<Record<string, OurSummary>>
  readonly peers: Readonly<Record<string, PeerSummary>>
  readonly rowsMs: Readonly<Record<string, number>>
  readonly identity: { readonly prompts: number; readonly identical: number }
  readonly httpTtftMs: number
  readonly streamModes: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly evenness: Readonly<Record<string, Evenness>>
  readonly shapes: readonly ShapeResult[]
}

export function printBench(result: BenchResult): void {
  const parts = [
    modesTable(result),
    peersTable(result),
    streamsTable(result),
    ...shapesTables(result),
    barsTable(result),
  ]
  process.stdout.write(parts.join(''))
}

function modesTable({ model, machine, prompts, rounds, ours }: BenchResult): string {
  const title = `${model} on ${machine}: ${prompts} held-out prompts, medians of ${rounds} rounds in turn, no HTTP`
  const header = [
    'mode',
    'tok/s',
    'decode tok/s',
    'TTFT ms',
    'tok/forward',
    'rows/forward',
    'text as ntp',
    'x ntp',
  ]
  const rows = Object.entries(ours).map(([name, s]) => [
    name,
    s.tokensPerSecond.toFixed(0),
    s.decodeTokensPerSecond.toFixed(0),
    s.ttftMs.toFixed(2),
    s.tokensPerForward.toFixed(2),
    s.rowsPerForward.toFixed(1),
    percent(s.sameText),
    times(s.speedup),
  ])
  return table(title, header, rows)
}

function peersTable({ peers }: BenchResult): string {
  const title =
    'Other engines, greedy next-token decoding of the same weights and prompts, best settings found'
  const header = [
    'engine',
    'setting',
    'tok/s',
    'decode tok/s',
    'TTFT ms',
    'text as our ntp',
    'verified is',
    'its TTFT is',
  ]
  const rows = Object.values(peers).map((p) => [
    p.peer,
    p.setting,
    p.tokensPerSecond.toFixed(0),
    p.decodeTokensPerSecond.toFixed(0),
    p.ttftMs.toFixed(2),
    percent(p.sameText),
    times(p.verifiedSpeedup),
    times(p.verifiedTtftRatio),
  ])
  return rows.length === 0 ? '\nOther engines: not installed\n' : table(title, header, rows)
}

function streamsTable({ streamModes, evenness }: BenchResult): string {
  const counts = Object.keys(Object.values(streamModes)[0] ?? {})
  const header = [
    'mode',
    ...counts.map((count) => `${count} streams`),
    'last / first',
    'median gap ms',
    'longest gap ms',
    'longest / median, middle stream',
    'worst',
  ]
  const rows = Object.entries(streamModes).map(([name, rates]) => {
    const gaps = evenness[name]
    return [
      name,
      ...counts.map((count) => rates[count]?.toFixed(0) ?? '-'),
      times(gain(rates)),
      gaps?.medianGapMs.toFixed(2) ?? '-',
      gaps?.longestGapMs.toFixed(2) ?? '-',
      gaps?.unevenness.median.toFixed(1) ?? '-',
      gaps?.unevenness.worst.toFixed(1) ?? '-',
    ]
  })
  return table(
    'Concurrent streams, tokens/s of all together; gaps of long texts at the most streams',
    header,
    rows,
  )
}

/** Of the most streams over one. */
function gain(rates: Readonly<Record<string, number>>): number {
  const list = Object.entries(rates).sort(([a], [b]) => Number(a) - Number(b))
  return (list.at(-1)?.[1] ?? Number.NaN) / (list[0]?.[1] ?? Number.NaN)
}

function shapesTables({ shapes }: BenchResult): string[] {
  if (shapes.length === 0) return []
  const header = [
    'shape',
    'context',
    't(1) ms',
    't(16)/t(1)',
    't(32)/t(1)',
    'TTFT ms',
    'ntp tok/s',
    'verified*',
    'sbd_0.35*',
    'fastest other engine',
    'tok/s',
    'TTFT ms',
    'verified* / it',
    '/ it, 8 bits up',
  ]
  const rows = shapes.map((s) => [
    s.shape,
    s.context,
    (s.rowsMs['1'] ?? Number.NaN).toFixed(2),
    times((s.rowsMs['16'] ?? Number.NaN) / (s.rowsMs['1'] ?? Number.NaN)),
    times((s.rowsMs['32'] ?? Number.NaN) / (s.rowsMs['1'] ?? Number.NaN)),
    s.ntp.ttftMs.toFixed(1),
    s.ntp.decodeTokensPerSecond.toFixed(0),
    s.computed[VERIFIED]?.toFixed(0) ?? '-',
    s.computed[sbd(0.35)]?.toFixed(0) ?? '-',
    s.peers[0]?.name ?? '-',
    s.peers[0]?.decodeTokensPerSecond.toFixed(0) ?? '-',
    s.peers[0]?.ttftMs.toFixed(1) ?? '-',
    times(s.verifiedOverPeer.any),
    times(s.verifiedOverPeer.sameWeights),
  ])
  return [
    table('Random weights, decode tokens/s', header, rows),
    '* computed: this shape’s measured forward times with the acceptance measured on the trained model\n',
  ]
}

function barsTable({
  ours,
  peers,
  rowsMs,
  identity,
  streamModes,
  evenness,
  shapes,
}: BenchResult): string {
  const best = bestOf(Object.values(peers))
  const t = (rows: number): number => (rowsMs[rows] ?? Number.NaN) / (rowsMs['1'] ?? Number.NaN)
  const large = shapes.filter(({ parameters }) => parameters > 2e7)
  const rows = [
    ['verified / own ntp, tokens/s', against(ours[VERIFIED]?.speedup ?? null, { min: 2.5 })],
    ['sbd 0.35 / own ntp, tokens/s', against(ours[sbd(0.35)]?.speedup ?? null, { min: 3 })],
    ['prompts on which verified is ntp', `${identity.identical} of ${identity.prompts}`],
    ['verified / faster peer, tokens/s', against(best?.verifiedSpeedup ?? null, { min: 1.3 })],
    ['time to first token / faster peer’s', against(best?.verifiedTtftRatio ?? null, { max: 1.2 })],
    ...large.map((s) => [
      `verified* / faster peer, ${s.shape}`,
      against(s.verifiedOverPeer.sameWeights, { min: 2 }),
    ]),
    ['t(16) / t(1) at 512 positions', against(t(16), { max: 1.6 })],
    ['t(32) / t(1) at 512 positions', against(t(32), { max: 2.2 })],
    ['all streams / one, verified', against(gain(streamModes[VERIFIED] ?? {}), { min: 2.5 })],
    [
      'longest / median gap, worst stream',
      against(evenness[VERIFIED]?.unevenness.worst ?? null, { max: 5 }),
    ],
  ]
  return table('Against the bars', ['', ''], rows)
}
