import { rendezvousOrder } from '../../../edge/src/workers/rendezvous.ts'
import { bodyOf, CONVERSATIONS } from './conversations.ts'
import { LoadClient } from './load.ts'
import type { Seen } from './stream-client.ts'

/** A session as its client knows it: everything that was acknowledged. */
export interface HeldSession {
  readonly tenant: string
  readonly key: string
  readonly id: string
  readonly conversation: number
  version: number
  /** Tokens of the whole session. */
  tokens: number
  /** Whether a turn of it ever broke off. */
  brokeOff: boolean
}

/** A session as the service tells it; null where it knows of none. */
interface ToldSession {
  readonly version: number
  readonly tokens: number
}

/** Of which an open turn may be the cause: one that broke off, and nobody knows whether it is over. */
const AFTER_OPEN_TURN = new Set(['session_busy', 'session_conflict'])
/** It may still run somewhere when the same turn has been taken elsewhere; it can win no more then. */
const AFTER_SETTLED_TURN = new Set(['session_busy'])

/** Holds one conversation after the other and insists on every turn. */
export class SessionClient extends LoadClient {
  /** All that were ever acknowledged, for those who look at the end. */
  readonly held: HeldSession[] = []

  protected override async round(): Promise<void> {
    const { tenant, key, isOver } = this.options
    const conversation = this.pickConversation()
    const session: HeldSession = {
      tenant,
      key,
      id: this.nextName(),
      conversation,
      version: 0,
      tokens: 0,
      brokeOff: false,
    }
    this.held.push(session)
    for (const turn of CONVERSATIONS[conversation]!.turns.keys()) {
      if (isOver()) return
      await this.#insist(session, turn)
    }
  }

  /** Asks for a turn until it is part of the session, whoever had to say so. */
  async #insist(session: HeldSession, turn: number): Promise<void> {
    let open = false
    await this.until(`turn ${turn} of ${session.id}`, async () => {
      const seen = await this.#take(session, turn, open)
      const [last] = seen.terminals
      if (last?.kind === 'end') {
        this.#acknowledge(session, turn, last.version)
        return true
      }
      open = true
      session.brokeOff = true
      return (await this.#settle(session, turn)) ? true : undefined
    })
  }

  async #take(session: HeldSession, turn: number, open: boolean): Promise<Seen> {
    const { random, expected, findings, fickle } = this.options
    const { id, conversation, version } = session
    const body = bodyOf(CONVERSATIONS[conversation]!, { session: id, turn })
    const leaves = fickle && !open && random.chance(0.15)
    const onDisconnect = random.pick(['rollback', 'continue'])
    findings.count('turns')
    if (leaves) findings.count(`cancels-${onDisconnect}`)
    return this.ask(
      {
        path: '/v1/generate',
        body: { ...body, on_disconnect: onDisconnect },
        ...(version > 0 && { headers: { 'if-match': `"${version}"` } }),
        ...(leaves && { leaveAfter: 1 + random.below(4) }),
      },
      {
        expected: expected[conversation]![turn]!.text,
        explained: this.#explained(session, open),
      },
    )
  }

  #explained({ brokeOff }: HeldSession, open: boolean): ReadonlySet<string> {
    if (open) return AFTER_OPEN_TURN
    return brokeOff ? AFTER_SETTLED_TURN : new Set()
  }

  #acknowledge(session: HeldSession, turn: number, version: number | undefined): void {
    const { findings, expected, cluster, tenant } = this.options
    if (!this.#follows(version, session)) {
      findings.violate('lost-turn', `${session.id}: version ${version} after ${session.version}`)
    }
    session.version = version ?? session.version + 1
    session.tokens = expected[session.conversation]![turn]!.tokens
    findings.count('acknowledged')
    const urls = cluster.seats.map(({ proxy }) => proxy.url)
    const [home] = rendezvousOrder(urls, `${tenant}\n${session.id}`)
    const seat = cluster.seats[urls.indexOf(home!)]!
    if (turn > 0 && !seat.up) findings.count('continued-elsewhere')
  }

  /**
   * Whether a version is the next one. A first turn cannot say what it builds on: where it was sent
   * again, the first one may have arrived too, and the same conversation was told twice.
   */
  #follows(version: number | undefined, { version: before }: HeldSession): boolean {
    return before === 0 ? (version ?? 0) > 0 : version === before + 1
  }

  /** Finds out whether a turn that broke off is part of the session. */
  async #settle(session: HeldSession, turn: number): Promise<boolean> {
    const told = await this.until(`reading ${session.id}`, () => this.tell(session))
    const { findings, expected } = this.options
    const after = expected[session.conversation]![turn]!.tokens
    const applied = this.#follows(told.version, session) && told.tokens === after
    if (applied) {
      findings.count('settled-as-done')
      Object.assign(session, told)
    } else if (told.version !== session.version || told.tokens !== session.tokens) {
      const facts = JSON.stringify({ told, version: session.version, tokens: session.tokens })
      findings.violate('lost-turn', `${session.id}: ${facts}`)
    }
    return applied
  }

  /** What the service knows of a session; undefined while it cannot say. */
  async tell({ id, key }: HeldSession): Promise<ToldSession | undefined> {
    const { cluster, findings } = this.options
    const [outages, up] = [cluster.outages, cluster.edgeUp]
    const headers = { authorization: `Bearer ${key}` }
    const response = await fetch(`${cluster.url}/v1/sessions/${id}`, { headers }).catch(
      () => undefined,
    )
    const body = (await response?.json().catch(() => undefined)) as
      | (ToldSession & { error?: { code: string } })
      | undefined
    if (response?.status === 200 && body !== undefined) {
      return { version: body.version, tokens: body.tokens }
    }
    if (body?.error?.code === 'session_not_found') return { version: 0, tokens: 0 }
    const excused = !up || outages !== cluster.outages
    if (body === undefined && !excused) findings.violate('broken-without-cause', `reading ${id}`)
    const retryable = response?.headers.get('x-should-retry') === 'true'
    if (body !== undefined && !retryable) {
      findings.violate('untyped-error', `reading ${id}: ${body.error?.code}`)
    }
    return undefined
  }
}
