import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from 'undici'
import { exchange, type Exchange } from './exchange.ts'
import { Tally, type PhaseSummary, type Slo } from './tally.ts'
import { planArrivals, type Arrival, type Mix } from './workload.ts'

export interface Target {
  /** Of the edge; no trailing slash. */
  readonly url: string
  readonly key: string
  readonly model: string
}

export interface PhaseOptions {
  /** New requests a second. */
  readonly rate: number
  /** Counted, after the warm-up. */
  readonly seconds: number
  /** Offered at the same rate first, and not counted: an empty queue takes more than a full one. */
  readonly warmUpSeconds: number
  readonly seed: number
  readonly prompts: readonly string[]
  readonly mix: Mix
  readonly slo: Slo
}

/**
 * Offers requests at a rate for some seconds, whatever becomes of them, and waits for the last answer. Open loop: a
 * server that slows down gets no relief, and each latency counts from the moment its request was due.
 */
export async function runPhase(target: Target, options: PhaseOptions): Promise<PhaseSummary> {
  const { rate, seconds, warmUpSeconds, seed, slo } = options
  const arrivals = planArrivals({ ...options, seconds: warmUpSeconds + seconds })
  // As many connections as requests are open: a pool that is full would hold arrivals back.
  const agent = new Agent({ connections: null, pipelining: 1, bodyTimeout: 0, headersTimeout: 0 })
  const tally = new Tally(slo)
  const startMs = performance.now()
  const open: Promise<void>[] = []
  for (const [index, arrival] of arrivals.entries()) {
    const dueMs = startMs + arrival.atMs
    const waitMs = dueMs - performance.now()
    if (waitMs > 0) await sleep(waitMs)
    const counted = arrival.atMs >= warmUpSeconds * 1000 ? tally : undefined
    const name = `load-${seed}-${rate}-${index}`
    open.push(ask(target, arrival, { agent, tally: counted, dueMs, name }))
  }
  await Promise.all(open)
  await agent.close()
  return tally.summary(rate, seconds)
}

interface Asking {
  readonly agent: Agent
  /** None during the warm-up. */
  readonly tally: Tally | undefined
  readonly dueMs: number
  /** Names the session, if there is one. */
  readonly name: string
}

async function ask(target: Target, arrival: Arrival, asking: Asking): Promise<void> {
  const { agent, tally, dueMs, name } = asking
  const { url, key, model } = target
  const request = (content: string, extra: object): Exchange => ({
    url,
    key,
    agent,
    reader: arrival.reader,
    body: {
      model,
      messages: [{ role: 'user', content }],
      stream: true,
      stream_options: { include_usage: true },
      ...arrival.fields,
      ...extra,
    },
  })
  const session = arrival.twoTurns ? { session: name } : {}
  const sentMs = performance.now()
  const first = await exchange(request(arrival.prompt, session))
  tally?.add(arrival, first, { dueMs, sentMs })
  if (!arrival.twoTurns || first.result !== 'done') return
  // The second turn is due when the first has been read.
  const secondMs = performance.now()
  const second = await exchange(request(SECOND_TURN, { ...session, append: true, max_tokens: 16 }))
  tally?.add(arrival, second, { dueMs: secondMs, sentMs: secondMs })
}

const SECOND_TURN = 'And what happened then?'
