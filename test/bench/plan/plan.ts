import { recordedAcceptance, type Acceptance } from './acceptance.ts'
import {
  cacheBytesPerToken,
  costPerMillion,
  equation16,
  fleetFor,
  forwardSeconds,
  pointAt,
  streamsThatFit,
  weightBytes,
  type Decoder,
  type Deployment,
  type Fleet,
  type Load,
  type Point,
} from './capacity.ts'
import { DEVICES, type Device } from './devices.ts'
import { findArchitecture } from './models.ts'
import type { PlanOptions } from './options.ts'

/** Rows of one stream at which the bound of a forward is shown. */
const SHOWN_ROWS = [1, 2, 4, 8, 16, 32, 64]
const MEMORY_SHARE = 0.9

export interface Plan {
  readonly deployment: Deployment
  readonly decoder: Decoder
  readonly acceptance: Acceptance
  readonly load: Load
  readonly weightBytes: number
  readonly cacheBytesPerToken: number
  /** By memory alone. */
  readonly streamsThatFit: number
  /** Milliseconds by rows of one stream, then with as many streams as planned. */
  readonly bounds: readonly { rows: number; oneMs: number; allMs: number }[]
  readonly point: Point
  readonly fleet: Fleet
  /** Mode sbd alone. */
  readonly equation16: number | null
  readonly costPerMillion: number | null
}

/** @throws Error where the model does not fit, or no number of streams is fast enough */
export async function makePlan(options: PlanOptions): Promise<Plan> {
  const deployment: Deployment = {
    device: deviceOf(options),
    architecture: await findArchitecture(options.model),
    precision: options.precision,
    efficiency: options.efficiency,
    memoryShare: MEMORY_SHARE,
  }
  const load: Load = {
    requestsPerSecond: options.rps,
    tokensIn: options['tokens-in'],
    tokensOut: options['tokens-out'],
  }
  const acceptance = await acceptanceOf(options)
  const decoder: Decoder = {
    mode: options.mode,
    blockLength: options['block-length'],
    ...acceptance,
  }
  const fit = streamsThatFit(deployment, load)
  const point = choosePoint(options, { deployment, decoder, load, fit })
  const fleet = fleetFor(load, point, options.utilisation)
  const cached = load.tokensIn + load.tokensOut / 2
  const bound = (streams: number, rows: number): number =>
    1000 * forwardSeconds(deployment, { streams, rows, cached })
  return {
    deployment,
    decoder,
    acceptance,
    load,
    weightBytes: weightBytes(deployment),
    cacheBytesPerToken: cacheBytesPerToken(deployment),
    streamsThatFit: fit,
    bounds: SHOWN_ROWS.map((rows) => ({
      rows,
      oneMs: bound(1, rows),
      allMs: bound(point.streams, rows),
    })),
    point,
    fleet,
    equation16:
      decoder.mode === 'sbd'
        ? equation16(deployment, decoder, { streams: point.streams, cached })
        : null,
    costPerMillion: options.price === undefined ? null : costPerMillion(load, fleet, options.price),
  }
}

function deviceOf(options: PlanOptions): Device {
  const listed = DEVICES[options.gpu.toLowerCase()]
  const memoryGb = options['memory-gb']
  const bandwidth = options['bandwidth-gbs']
  const operations = options['tera-operations']
  if (listed === undefined && options.gpu !== 'custom') {
    throw new Error(`--gpu: must be one of ${Object.keys(DEVICES).join(', ')}, custom`)
  }
  if (listed === undefined && !(memoryGb && bandwidth && operations)) {
    throw new Error('--gpu: custom needs --memory-gb, --bandwidth-gbs and --tera-operations')
  }
  const given = operations && operations * 1e12
  const listedOperations = listed?.operationsPerSecond
  const changed = memoryGb !== undefined || bandwidth !== undefined || given !== undefined
  return {
    name: listed?.name ?? 'custom',
    memoryBytes: memoryGb === undefined ? listed!.memoryBytes : memoryGb * 1e9,
    bytesPerSecond: bandwidth === undefined ? listed!.bytesPerSecond : bandwidth * 1e9,
    operationsPerSecond: {
      fp32: given ?? listedOperations!.fp32,
      fp16: given ?? listedOperations!.fp16,
      int8: given ?? listedOperations!.int8,
    },
    source: [listed?.source, changed ? 'the command line' : undefined]
      .filter((each) => each !== undefined)
      .join(', then '),
  }
}

async function acceptanceOf(options: PlanOptions): Promise<Acceptance> {
  const { mode, gamma } = options
  const length = options['block-length']
  const tokensPerForward = options['tokens-per-forward']
  const rowsPerForward = options['rows-per-forward']
  if (mode === 'ntp') return { tokensPerForward: 1, rowsPerForward: 1, source: 'one by one' }
  if (tokensPerForward !== undefined) {
    // Rows of a block decoder follow from its block; a verifier's are its drafts and one more.
    const rows = rowsPerForward ?? (mode === 'sbd' ? length : length + 1)
    return { tokensPerForward, rowsPerForward: rows, source: 'the command line' }
  }
  const name = mode === 'sbd' ? `sbd_${gamma}` : 'verified'
  const recorded = await recordedAcceptance(`${name}_k${length}`)
  return rowsPerForward === undefined ? recorded : { ...recorded, rowsPerForward }
}

/** The most streams that fit, are allowed and leave each as fast as it shall be. */
function choosePoint(
  options: PlanOptions,
  plan: { deployment: Deployment; decoder: Decoder; load: Load; fit: number },
): Point {
  const { deployment, decoder, load, fit } = plan
  if (fit < 1) {
    const needed = (weightBytes(deployment) / 1e9).toFixed(1)
    const room = ((deployment.device.memoryBytes * MEMORY_SHARE) / 1e9).toFixed(1)
    throw new Error(
      `--model: its weights take ${needed} GB of ${room} GB and leave no room for a stream; a worker has one device`,
    )
  }
  const speed = options['stream-speed'] ?? 0
  for (let streams = Math.min(fit, options.streams); streams >= 1; streams--) {
    const point = pointAt(deployment, decoder, load, streams)
    if (point.streamTokensPerSecond >= speed) return point
  }
  throw new Error(`--stream-speed: even alone a stream is slower than ${speed} tokens/s`)
}
