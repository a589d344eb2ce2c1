import { setTimeout as sleep } from 'node:timers/promises'
import type { ErrorCode } from '@setblock/shared'
import type { Random } from '../random.ts'
import type { Cluster } from './cluster.ts'
import { bodyOf, CONVERSATIONS, type Expected } from './conversations.ts'
import type { Findings } from './findings.ts'
import { readStream } from './stream-client.ts'

/** At the knee some are turned away; a 429 that says when to come back is no fault. */
const REFUSALS: ReadonlySet<string> = new Set<ErrorCode>(['overloaded'])
/** Of requests: those that go on with a session. */
const SESSION_SHARE = 0.85
const SESSIONS = 60

interface Sitting {
  readonly id: string
  readonly conversation: number
  turn: number
  busy: boolean
}

export interface ArrivalOptions {
  readonly cluster: Cluster
  readonly expected: readonly (readonly Expected[])[]
  readonly findings: Findings
  readonly random: Random
  readonly key: string
}

/** Requests that arrive at a rate, most of them turns of sessions, all answers known beforehand. */
export class Arrivals {
  readonly #options: ArrivalOptions
  readonly #sittings: Sitting[] = []
  #serial = 0
  asked = 0
  /** Requests that are being answered. */
  open = 0

  constructor(options: ArrivalOptions) {
    this.#options = options
  }

  /** Resolves when it is over and every answer has ended. */
  async run(perSecond: number, isOver: () => boolean): Promise<void> {
    const answers: Promise<void>[] = []
    while (!isOver()) {
      answers.push(this.#arrive())
      // Exponential gaps: arrivals that know nothing of each other.
      await sleep((-Math.log(1 - this.#options.random.next()) / perSecond) * 1000)
    }
    await Promise.all(answers)
  }

  /** So many requests by a few clients, each of which asks when it has been answered. */
  async runClosed(count: number, clients: number): Promise<void> {
    const client = async (): Promise<void> => {
      while (this.asked < count) await this.#arrive()
    }
    await Promise.all(Array.from({ length: clients }, client))
  }

  async #arrive(): Promise<void> {
    this.asked += 1
    this.open += 1
    const sitting = this.#options.random.chance(SESSION_SHARE) ? this.#seat() : undefined
    await this.#ask(sitting)
    this.open -= 1
  }

  async #ask(sitting: Sitting | undefined): Promise<void> {
    const { cluster, expected, findings, random, key } = this.#options
    const conversation = sitting?.conversation ?? random.below(expected.length)
    const turn = sitting?.turn ?? 0
    const session = sitting && { session: sitting.id }
    const body = bodyOf(CONVERSATIONS[conversation]!, { turn, ...session })
    const ask = { url: cluster.url, key, path: '/v1/generate', body }
    const seen = await readStream(ask, (code) => REFUSALS.has(code))
    const { text } = expected[conversation]![turn]!
    findings.answer(seen, { expected: text, retryable: REFUSALS, mayBreak: false }, 'soak')
    if (sitting === undefined) return
    sitting.busy = false
    // Who was turned away says the same again some time.
    if (seen.terminals[0]?.kind !== 'end') return
    sitting.turn += 1
    const done = sitting.turn === CONVERSATIONS[conversation]!.turns.length
    if (!done) return
    this.#sittings.splice(this.#sittings.indexOf(sitting), 1)
    await this.#forget(sitting.id)
  }

  /** As a client does that will not come back: a tenant has room for so many sessions. */
  async #forget(id: string): Promise<void> {
    const { cluster, key, findings } = this.#options
    const headers = { authorization: `Bearer ${key}` }
    const url = `${cluster.url}/v1/sessions/${id}`
    const response = await fetch(url, { method: 'DELETE', headers }).catch(() => undefined)
    findings.count(`sessions-forgotten-${response?.status ?? 'broken'}`)
  }

  /** A session that rests, or a new one. */
  #seat(): Sitting {
    const { random, expected } = this.#options
    const resting = this.#sittings.filter(({ busy }) => !busy)
    let sitting: Sitting | undefined
    if (this.#sittings.length >= SESSIONS && resting.length > 0) sitting = random.pick(resting)
    if (sitting === undefined) {
      this.#serial += 1
      const conversation = random.below(expected.length)
      sitting = { id: `soak-${this.#serial}`, conversation, turn: 0, busy: false }
      this.#sittings.push(sitting)
    }
    sitting.busy = true
    return sitting
  }
}
