import { bodyOf, CONVERSATIONS } from './conversations.ts'
import { LoadClient, type LoadOptions } from './load.ts'
import type { HeldSession } from './session-client.ts'
import { readStream } from './stream-client.ts'

const PAUSE_TRIES = 40

/** A tenant of its own each time, who guesses ids and knows the very texts of others. */
export class Stranger extends LoadClient {
  readonly #sessions: () => readonly HeldSession[]

  constructor(options: LoadOptions, sessions: () => readonly HeldSession[]) {
    super(options)
    this.#sessions = sessions
  }

  protected override async round(): Promise<void> {
    const { cluster, findings, random, expected } = this.options
    const known = this.#sessions().filter(({ version }) => version > 0)
    if (known.length === 0) return
    const { id, conversation } = random.pick(known)
    const tenant = this.nextName()
    const key = await cluster.createKey(tenant).catch(() => undefined)
    if (key === undefined) return
    findings.count('strangers')
    const headers = { authorization: `Bearer ${key}` }
    const told = await fetch(`${cluster.url}/v1/sessions/${id}`, { headers }).catch(() => undefined)
    if (told?.status === 200) findings.violate('cross-tenant', `${tenant} read ${id}`)
    await told?.body?.cancel()
    const body = bodyOf(CONVERSATIONS[conversation]!, { turn: 0 })
    const ask = { url: cluster.url, key, path: '/v1/generate', body }
    const seen = await readStream(ask, () => true)
    if ((seen.cachedTokens ?? 0) > 0) findings.violate('cross-tenant', `${tenant}: a cached prompt`)
    const [last] = seen.terminals
    const { text } = expected[conversation]![0]!
    if (last?.kind === 'end' && seen.text !== text) findings.violate('wrong-text', tenant)
    await this.#rest()
  }

  async #rest(): Promise<void> {
    const { isOver } = this.options
    for (let tries = 0; tries < PAUSE_TRIES && !isOver(); tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
}
