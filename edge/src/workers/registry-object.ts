import { workerAnnouncementSchema } from '@setblock/shared'
import * as z from 'zod'
import { edgeLimits } from '../limits.ts'
import type { ObjectNamespace, ObjectState } from '../storage/durable-object.ts'
import { announced, present } from './worker-registry.ts'
import type { RegisteredWorker, RegistryState, WorkerRegistry } from './worker-registry.ts'

const orderSchema = z.discriminatedUnion('do', [
  z.object({ do: z.literal('announce'), announcement: workerAnnouncementSchema }),
  z.object({ do: z.literal('list') }),
])
type Order = z.infer<typeof orderSchema>

const outcomeSchema = z.object({ outcome: z.enum(['joined', 'renewed', 'left', 'stale', 'full']) })
const listSchema = z.array(z.object({ url: z.string(), models: z.array(z.string()) }))

const STATE = 'workers'
/** There is one object for a deployment: announcements are few, and isolates cache the list. */
const OBJECT_NAME = 'workers'

/**
 * The Durable Object to which workers announce themselves. It writes only when somebody joins or
 * leaves; after an eviction those it had written down are believed for one lease, in which they
 * announce themselves again or go.
 */
export class RegistryObject {
  readonly #storage: ObjectState['storage']
  #state: RegistryState = new Map()

  constructor(state: ObjectState) {
    this.#storage = state.storage
    void state.blockConcurrencyWhile(async () => {
      const stored = ((await this.#storage.get(STATE)) ?? []) as RegisteredWorker[]
      const leaseUntil = Date.now() + edgeLimits.workerLeaseMs
      this.#state = new Map(
        stored.map((worker) => [
          worker.url,
          worker.state === 'ready' ? { ...worker, leaseUntil } : worker,
        ]),
      )
    })
  }

  async fetch(request: Request): Promise<Response> {
    const order = orderSchema.parse(await request.json())
    const now = Date.now()
    if (order.do === 'list') return Response.json(present(this.#state, now))
    const { state, outcome } = announced(this.#state, order.announcement, {
      now,
      limits: edgeLimits,
    })
    this.#state = state
    if (outcome === 'joined' || outcome === 'left') {
      await this.#storage.put(STATE, [...state.values()])
    }
    return Response.json({ outcome })
  }
}

/** The registry behind a binding. */
export function createObjectRegistry(namespace: ObjectNamespace): WorkerRegistry {
  async function ask(order: Order): Promise<unknown> {
    const stub = namespace.get(namespace.idFromName(OBJECT_NAME))
    // The host is a placeholder: the object looks at the body alone.
    const response = await stub.fetch('https://registry.invalid/', {
      method: 'POST',
      body: JSON.stringify(order),
    })
    if (!response.ok) throw new Error(`the registry answered ${response.status}`)
    return response.json()
  }
  return {
    announce: async (announcement) =>
      outcomeSchema.parse(await ask({ do: 'announce', announcement })).outcome,
    list: async () => listSchema.parse(await ask({ do: 'list' })),
  }
}
