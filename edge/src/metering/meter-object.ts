import * as z from 'zod'
import type { ObjectNamespace, ObjectState } from '../storage/durable-object.ts'
import { advance, decide, freshMeter, receiptSchema, settled, verdictSchema } from './meter.ts'
import type { Meter, MeterState } from './meter.ts'

const allowanceSchema = z.object({
  requestsPerMinute: z.int(),
  tokensPerMinute: z.int(),
  tokensPerMonth: z.int().nullable(),
})
const orderSchema = z.discriminatedUnion('do', [
  z.object({ do: z.literal('admit'), allowance: allowanceSchema, estimatedTokens: z.int().min(0) }),
  z.object({
    do: z.literal('settle'),
    allowance: allowanceSchema,
    receipt: receiptSchema,
    usedTokens: z.int().min(0),
  }),
])
type Order = z.infer<typeof orderSchema>

const STATE = 'meter'

/**
 * The Durable Object that counts for one key. Every isolate of the edge asks the same object, and
 * from reading the order to writing the state it does not wait, so that counts are exact.
 */
export class MeterObject {
  readonly #storage: ObjectState['storage']
  #state: MeterState | undefined

  constructor(state: ObjectState) {
    this.#storage = state.storage
    void state.blockConcurrencyWhile(async () => {
      this.#state = (await this.#storage.get(STATE)) as MeterState | undefined
    })
  }

  async fetch(request: Request): Promise<Response> {
    const order = orderSchema.parse(await request.json())
    const now = Date.now()
    const before = advance(this.#state ?? freshMeter(order.allowance, now), order.allowance, now)
    if (order.do === 'settle') {
      this.#state = settled(before, order.allowance, order.receipt, order.usedTokens)
      await this.#storage.put(STATE, this.#state)
      return Response.json({})
    }
    const { verdict, state } = decide(before, order.allowance, order.estimatedTokens)
    this.#state = state
    // A refusal changes nothing that time would not: no write for those who knock too often.
    if (verdict.admitted) await this.#storage.put(STATE, state)
    return Response.json(verdict)
  }
}

/** The meters behind a binding: one object a key. */
export function createObjectMeter(namespace: ObjectNamespace): Meter {
  async function ask(keyId: string, order: Order): Promise<unknown> {
    const stub = namespace.get(namespace.idFromName(keyId))
    // The host is a placeholder: the object looks at the body alone.
    const response = await stub.fetch('https://meter.invalid/', {
      method: 'POST',
      body: JSON.stringify(order),
    })
    if (!response.ok) throw new Error(`a meter answered ${response.status}`)
    return response.json()
  }
  return {
    admit: async (keyId, allowance, estimatedTokens) =>
      verdictSchema.parse(await ask(keyId, { do: 'admit', allowance, estimatedTokens })),
    async settle({ keyId, ...order }) {
      await ask(keyId, { do: 'settle', ...order })
    },
  }
}
