import { setTimeout as sleep } from 'node:timers/promises'
import { ERRORS, type ErrorCode } from '@setblock/shared'
import type { Random } from '../random.ts'
import type { Cluster } from './cluster.ts'
import { bodyOf, CONVERSATIONS, type Expected } from './conversations.ts'
import type { Findings, Judged } from './findings.ts'
import { readStream, type Ask, type Seen } from './stream-client.ts'

/** What a fault may make of a request: each is typed, and the same request may succeed later. */
const FAULT_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'worker_unavailable',
  'worker_draining',
  'overloaded',
  'session_unavailable',
])
const THINK_MS_MAX = 1_200
const RETRY_MS = 150
const TRIES_MAX = 400

const isRetryable = (code: string): boolean => code in ERRORS && ERRORS[code as ErrorCode].retryable

export interface LoadOptions {
  readonly cluster: Cluster
  readonly expected: readonly (readonly Expected[])[]
  readonly findings: Findings
  readonly random: Random
  readonly tenant: string
  readonly key: string
  /** Of the client, unique in the run. */
  readonly name: string
  /** Whether clients go away in the middle of answers now and then. */
  readonly fickle: boolean
  readonly isOver: () => boolean
}

/** A client of the cluster that knows every answer beforehand. */
export abstract class LoadClient {
  protected readonly options: LoadOptions
  #serial = 0

  constructor(options: LoadOptions) {
    this.options = options
  }

  /** Goes on until the run is over. */
  async run(): Promise<void> {
    const { random, isOver } = this.options
    while (!isOver()) {
      await this.round()
      await sleep(random.below(THINK_MS_MAX))
    }
  }

  protected abstract round(): Promise<void>

  /** Another one each time. */
  protected nextName(): string {
    this.#serial += 1
    return `${this.options.name}-${this.#serial}`
  }

  protected pickConversation(): number {
    return this.options.random.below(this.options.expected.length)
  }

  /** Asks, judges the answer, and counts it. */
  protected async ask(
    ask: Omit<Ask, 'url' | 'key'>,
    judged: Pick<Judged, 'expected' | 'explained'>,
  ): Promise<Seen> {
    const { cluster, key, findings, name } = this.options
    const [outages, up] = [cluster.outages, cluster.edgeUp]
    findings.inFlight += 1
    const seen = await readStream({ ...ask, url: cluster.url, key }, isRetryable)
    findings.inFlight -= 1
    if (seen.status === 0) await sleep(RETRY_MS)
    const mayBreak = !up || outages !== cluster.outages
    findings.answer(seen, { ...judged, retryable: FAULT_CODES, mayBreak }, name)
    return seen
  }

  /** Repeats work until it gives something; a run that cannot go on is a finding. */
  protected async until<Result>(
    what: string,
    work: () => Promise<Result | undefined>,
  ): Promise<Result> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const result = await work()
      if (result !== undefined) return result
      await sleep(RETRY_MS)
    }
    this.options.findings.violate('stuck', `${this.options.name}: ${what}`)
    throw new Error(`${this.options.name} is stuck: ${what}`)
  }
}

/** Asks once and keeps nothing; now and then it leaves in the middle. */
export class PasserBy extends LoadClient {
  protected override async round(): Promise<void> {
    const { random, expected, findings, fickle } = this.options
    const index = this.pickConversation()
    const body = bodyOf(CONVERSATIONS[index]!, { turn: 0 })
    const leaves = fickle && random.chance(0.25)
    if (leaves) findings.count('cancels')
    await this.ask(
      { path: '/v1/generate', body, ...(leaves && { leaveAfter: 1 + random.below(4) }) },
      { expected: expected[index]![0]!.text },
    )
  }
}

/** Loses its connection again and again, and takes the same stream up where it was. */
export class Resumer extends LoadClient {
  protected override async round(): Promise<void> {
    const { random, expected, findings, cluster } = this.options
    const index = this.pickConversation()
    const body = bodyOf(CONVERSATIONS[index]!, { turn: 0 })
    const { text: whole } = expected[index]![0]!
    const headers = { 'x-setblock-resumable': 'true' }
    const { outages } = cluster
    const first = { path: '/v1/generate', body, headers, leaveAfter: 1 + random.below(6) }
    let seen = await this.ask(first, { expected: whole })
    let text = seen.text
    while (seen.close === 'left' && seen.streamId !== undefined) {
      findings.count('resumes')
      const leaveAfter = random.chance(0.3) ? 1 + random.below(4) : undefined
      seen = await this.#resume(seen, { outages, rest: whole.slice(text.length), leaveAfter })
      text += seen.text
    }
    if (seen.terminals[0]?.kind === 'end' && text !== whole) {
      findings.violate('wrong-text', `${this.options.name}: a resumed stream`)
    }
  }

  async #resume(
    before: Seen,
    options: { outages: number; rest: string; leaveAfter: number | undefined },
  ): Promise<Seen> {
    const { outages, rest, leaveAfter } = options
    const { findings, name, cluster } = this.options
    // Streams are kept in the memory of the edge: one that was taken down knows them no more.
    const forgotten = cluster.outages === outages ? [] : ['stream_not_found', 'events_expired']
    const seen = await this.ask(
      {
        path: `/v1/streams/${before.streamId}`,
        method: 'GET',
        headers: { 'last-event-id': before.lastEventId! },
        ...(leaveAfter !== undefined && { leaveAfter }),
      },
      { expected: rest, explained: new Set(forgotten) },
    )
    const expectedNumber = (before.numbers.at(-1) ?? 0) + 1
    const [number = expectedNumber] = seen.numbers
    if (number !== expectedNumber) {
      findings.violate('events-out-of-order', `${name}: ${number} instead of ${expectedNumber}`)
    }
    return {
      ...seen,
      streamId: before.streamId,
      lastEventId: seen.lastEventId ?? before.lastEventId,
    }
  }
}

/** Sends each request several times under one idempotency key, until it has its answer. */
export class Repeater extends LoadClient {
  protected override async round(): Promise<void> {
    const { expected, findings } = this.options
    const index = this.pickConversation()
    const headers = { 'idempotency-key': this.nextName() }
    const ask = { path: '/v1/generate', body: bodyOf(CONVERSATIONS[index]!, { turn: 0 }), headers }
    const judged = { expected: expected[index]![0]!.text }
    await this.until('a repeated request', async () => {
      const both = await Promise.all([this.ask(ask, judged), this.ask(ask, judged)])
      findings.count('repeats')
      return both.some(({ terminals }) => terminals[0]?.kind === 'end') ? true : undefined
    })
    await this.ask(ask, judged)
  }
}
