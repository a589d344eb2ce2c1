import { table, times } from '../report.ts'
import { round } from '../statistics.ts'
import type { PlanOptions } from './options.ts'
import type { Plan } from './plan.ts'

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`

/** The plan for people, its inputs beside every result. */
export function planText(plan: Plan, options: PlanOptions): string {
  const { deployment, decoder, acceptance, load, point, fleet } = plan
  const { device } = deployment
  return [
    'COMPUTED, not measured: a roofline by published figures. Load-test before you rely on it.\n',
    table(
      'Inputs',
      ['', ''],
      [
        [
          'device',
          `${device.name}, ${gigabytes(device.memoryBytes)}, ${(device.bytesPerSecond / 1e9).toFixed(0)} GB/s`,
        ],
        ['  from', device.source],
        ['model, precision', `${options.model}, ${deployment.precision}`],
        ['request', `${load.tokensIn} tokens in, ${load.tokensOut} out`],
        [
          'mode',
          `${decoder.mode}, ${acceptance.tokensPerForward} tokens and ${acceptance.rowsPerForward} rows a forward`,
        ],
        ['  from', acceptance.source],
        ['share of the roofline', `${deployment.efficiency} (assumed)`],
      ],
    ),
    table(
      't(rows): least time of a forward, ms',
      ['rows a stream', 'one stream', `${point.streams} streams`],
      plan.bounds.map(({ rows, oneMs, allMs }) => [rows, oneMs.toFixed(3), allMs.toFixed(3)]),
    ),
    table(
      'One device',
      ['', ''],
      [
        ['weights', gigabytes(plan.weightBytes)],
        ['keys and values', `${plan.cacheBytesPerToken} bytes a token`],
        ['streams that fit', plan.streamsThatFit],
        ['streams at a time', point.streams],
        ['tokens/s, one stream', point.streamTokensPerSecond.toFixed(1)],
        ['tokens/s, device', point.tokensPerSecond.toFixed(0)],
        ['requests/s, device', point.requestsPerSecond.toFixed(2)],
        ['prompt alone, ms', (1000 * point.prefillSeconds).toFixed(1)],
        ...(plan.equation16 === null
          ? []
          : [['Eq. 16, over one token a forward', times(plan.equation16)]]),
      ],
    ),
    table(
      `For ${load.requestsPerSecond} requests/s`,
      ['', ''],
      [
        ['devices', fleet.devices],
        [
          'slots in use',
          `${(100 * fleet.utilisation).toFixed(0)} % (at most ${100 * options.utilisation} %)`,
        ],
        ['a request waits', `${(100 * fleet.waitProbability).toPrecision(2)} % of them (Erlang C)`],
        ['mean wait, ms', (1000 * fleet.meanWaitSeconds).toPrecision(2)],
      ],
    ),
    costText(plan, options),
  ].join('')
}

function costText({ fleet, load, costPerMillion }: Plan, { price }: PlanOptions): string {
  const formula = `devices x price an hour x 1,000,000 / (requests/s x tokens out x 3600)`
  const numbers = `${fleet.devices} x ${price ?? 'PRICE'} x 1,000,000 / (${load.requestsPerSecond} x ${load.tokensOut} x 3600)`
  const result =
    costPerMillion === null
      ? `${((1e6 * fleet.devices) / (load.requestsPerSecond * load.tokensOut * 3600)).toPrecision(3)} x PRICE (give --price)`
      : costPerMillion.toPrecision(3)
  return `\nCost of a million generated tokens\n  ${formula}\n= ${numbers}\n= ${result}\n`
}

/** The plan for programs; numbers with the digits that they are worth. */
export function planJson(plan: Plan, options: PlanOptions): Record<string, unknown> {
  const { deployment, point, fleet } = plan
  return {
    computed: true,
    device: deployment.device.name,
    model: options.model,
    precision: deployment.precision,
    mode: plan.decoder.mode,
    ...plan.load,
    tokensPerForward: plan.acceptance.tokensPerForward,
    rowsPerForward: plan.acceptance.rowsPerForward,
    acceptanceFrom: plan.acceptance.source,
    efficiency: deployment.efficiency,
    weightBytes: plan.weightBytes,
    cacheBytesPerToken: plan.cacheBytesPerToken,
    streamsThatFit: plan.streamsThatFit,
    boundsMs: Object.fromEntries(plan.bounds.map(({ rows, allMs }) => [rows, round(allMs, 4)])),
    streams: point.streams,
    streamTokensPerSecond: round(point.streamTokensPerSecond, 1),
    deviceTokensPerSecond: round(point.tokensPerSecond, 1),
    deviceRequestsPerSecond: round(point.requestsPerSecond, 3),
    prefillMs: round(1000 * point.prefillSeconds, 2),
    equation16: plan.equation16 === null ? null : round(plan.equation16, 3),
    devices: fleet.devices,
    utilisation: round(fleet.utilisation, 3),
    waitProbability: Number(fleet.waitProbability.toPrecision(3)),
    meanWaitMs: Number((1000 * fleet.meanWaitSeconds).toPrecision(3)),
    pricePerHour: options.price ?? null,
    costPerMillion:
      plan.costPerMillion === null ? null : Number(plan.costPerMillion.toPrecision(4)),
  }
}
