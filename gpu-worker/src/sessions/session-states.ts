import { createHash } from 'node:crypto'
import { ApiError } from '@setblock/shared'
import * as z from 'zod'
import type { ObjectStore } from './object-store.ts'
import { chooseExpired, removeAll } from './sweep.ts'
import { seal, tenantKey, unseal, type Label } from './seal.ts'

const stateSchema = z.strictObject({
  id: z.string(),
  /** Rises by one with every change. */
  version: z.int().min(1),
  createdMs: z.number(),
  updatedMs: z.number(),
  /** How long the session lives after its last change. */
  ttlMs: z.number(),
  /** A deleted session keeps its version, so that no writer can bring it back unawares. */
  deleted: z.boolean(),
  tokenIds: z.array(z.int().min(0)),
  /** Whose tokens these are; a session belongs to the model of its first turn. */
  model: z.strictObject({ id: z.string(), tokenizerSha256: z.string() }).optional(),
  /** The job whose turn made this state. */
  turnId: z.string().optional(),
})

/** Everything a session is: keys and values are a cache of it. */
export type SessionState = z.infer<typeof stateSchema>

export interface SessionStatesOptions {
  readonly store: ObjectStore
  /** 32 bytes; without it states lie in plain. */
  readonly masterKey?: Uint8Array | undefined
}

/** Versions kept behind the newest: a reader may be about to open them. */
const VERSIONS_KEPT = 2
/** A state that is read may be replaced meanwhile and go; then the newer one is looked for, so often. */
const READS_MAX = 5
const VERSION_DIGITS = 12
const FOLDER = 'sessions'

/**
 * The truth of every session: one immutable object for each version, the highest is the state. Two
 * writers of the same version meet at the store's `putNew`, where one loses; a crash leaves the
 * version before or the version after, never half of one.
 */
export class SessionStates {
  readonly #options: SessionStatesOptions

  constructor(options: SessionStatesOptions) {
    this.#options = options
  }

  /**
   * The newest state, deleted ones included.
   * @throws ApiError `session_corrupt` if it cannot be read: an older one would lose a turn.
   */
  async load(tenant: string, id: string): Promise<SessionState | undefined> {
    for (let reads = 1; ; reads += 1) {
      const newest = (await this.#names(folderOf(tenant, id))).at(-1)
      if (newest === undefined) return undefined
      const sealed = await this.#options.store.get(newest).catch(unavailable)
      if (sealed !== undefined || reads === READS_MAX) return this.#unseal(tenant, newest, sealed)
    }
  }

  /** Of the newest state, whether it can be read or not. */
  async newestVersion(tenant: string, id: string): Promise<number | undefined> {
    const newest = (await this.#names(folderOf(tenant, id))).at(-1)
    return newest === undefined ? undefined : Number(newest.slice(-VERSION_DIGITS))
  }

  /**
   * The newest state that a turn has not made: what the turn builds on, also when it has arrived
   * twice and is part of the session already.
   * @throws ApiError `session_conflict` if that state is not kept any more, `session_corrupt`
   */
  async loadBefore(tenant: string, id: string, turnId: string): Promise<SessionState | undefined> {
    const names = await this.#names(folderOf(tenant, id))
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const state = await this.#open(tenant, name)
      if (state.turnId !== turnId) return state
      if (names.length === 0 && state.version > 1) throw changedElsewhere(id)
    }
    return undefined
  }

  /**
   * Durable once resolved.
   * @throws ApiError `session_conflict` if that version exists already.
   */
  async save(tenant: string, state: SessionState): Promise<void> {
    const name = nameOf(folderOf(tenant, state.id), state.version)
    const data = Buffer.from(JSON.stringify(state))
    const sealed = seal(toLabel(name), data, this.#key(tenant))
    if (await this.#options.store.putNew(name, sealed).catch(unavailable)) return
    throw changedElsewhere(state.id)
  }

  /** Removes what newer versions have replaced; of a deleted session nothing is kept but that it was. */
  async prune(tenant: string, { id, deleted }: SessionState): Promise<void> {
    const names = await this.#names(folderOf(tenant, id))
    const kept = deleted ? 1 : VERSIONS_KEPT
    for (const name of names.slice(0, -kept)) await this.#options.store.remove(name)
  }

  /** Removes sessions as if they had never been, except those that have a newer version by now. */
  async forget(tenant: string, sessions: readonly SessionState[]): Promise<void> {
    for (const { id, version } of sessions) {
      const folder = folderOf(tenant, id)
      const names = await this.#names(folder)
      if (names.at(-1) !== nameOf(folder, version)) continue
      // The newest goes last: an older one must not become the state.
      for (const name of names) await this.#options.store.remove(name)
    }
  }

  /** Removes sessions whose last change is older than `ageMaxMs`, deleted ones included. */
  async sweep(ageMaxMs: number): Promise<void> {
    const { store } = this.#options
    await removeAll(store, chooseExpired(await store.list(FOLDER), ageMaxMs))
  }

  /** Sessions of a tenant that have a state, the deleted and the expired included. */
  async count(tenant: string): Promise<number> {
    const names = await this.#names(tenantFolder(tenant))
    return new Set(names.map(sessionFolder)).size
  }

  /** The newest state of every session of a tenant, deleted ones included; unreadable ones are left out. */
  async all(tenant: string): Promise<SessionState[]> {
    const newest = new Map<string, string>()
    for (const name of await this.#names(tenantFolder(tenant))) {
      newest.set(sessionFolder(name), name)
    }
    const states = await Promise.all(
      [...newest.values()].map((name) => this.#open(tenant, name).catch(() => undefined)),
    )
    return states.filter((state) => state !== undefined)
  }

  /** Ascending, so that the newest version of a session comes last. */
  async #names(folder: string): Promise<string[]> {
    const objects = await this.#options.store.list(folder).catch(unavailable)
    return objects.map(({ name }) => name).sort()
  }

  async #open(tenant: string, name: string): Promise<SessionState> {
    return this.#unseal(tenant, name, await this.#options.store.get(name).catch(unavailable))
  }

  #unseal(tenant: string, name: string, sealed: Uint8Array | undefined): SessionState {
    const broken = (why: string) =>
      new ApiError('session_corrupt', 'session: its stored state cannot be read', {
        param: 'session',
        cause: new Error(why),
      })
    if (sealed === undefined) throw broken('the state was pruned while it was read')
    const data = unseal(sealed, toLabel(name), this.#key(tenant))
    if (data === 'corrupt' || data === 'mismatch') throw broken(data)
    return stateSchema.parse(JSON.parse(Buffer.from(data).toString()))
  }

  #key(tenant: string): Uint8Array | undefined {
    const { masterKey } = this.#options
    return masterKey && tenantKey(masterKey, tenant)
  }
}

const toLabel = (name: string): Label => ({ kind: 'session', name })

const sessionFolder = (name: string): string => name.slice(0, name.lastIndexOf('/'))

const tenantFolder = (tenant: string): string => `${FOLDER}/${digest(tenant)}`

/** Digests, so that no id a client chose ever becomes part of a path. */
function folderOf(tenant: string, id: string): string {
  return `${tenantFolder(tenant)}/${digest(id)}`
}

function nameOf(folder: string, version: number): string {
  return `${folder}/${String(version).padStart(VERSION_DIGITS, '0')}`
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function changedElsewhere(id: string): ApiError {
  return new ApiError('session_conflict', `session: ${id} was changed elsewhere meanwhile`, {
    param: 'session',
  })
}

/** A store that is full, read-only or out of reach: the same turn may succeed later. */
function unavailable(cause: unknown): never {
  throw new ApiError('session_unavailable', 'session: the session store does not answer', {
    param: 'session',
    cause,
  })
}
