import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { fullFormats } from 'ajv-formats/dist/formats.js'
import * as fc from 'fast-check'
import { ruleSchema, type Job, type JobEvent } from '@setblock/shared'
import { loadModel } from '../engine/manifest.ts'
import { createOnnxEngine } from '../engine/onnx-engine.ts'
import type { Engine } from '../engine/engine.ts'
import { Grammars } from '../grammar/grammars.ts'
import { Vocabulary } from '../grammar/vocabulary.ts'
import { schemaArbitrary } from '../testing/random-schema.ts'
import { measureRowCost } from './row-cost.ts'
import { Scheduler } from './scheduler.ts'

const folder = path.resolve(import.meta.dirname, '../../../models/setblock-nano')
const tokenizer = path.join(folder, 'tokenizer.json')
const [BOS, USER, ASSISTANT, EOS, END] = [1, 5, 6, 2, 7]
const MODES = ['ntp', 'verified', 'sbd'] as const
const ajv = new Ajv2020({ strict: false, formats: fullFormats, multipleOfPrecision: 9 })

const ORDER = {
  type: 'object',
  properties: {
    customer: { type: 'string' },
    city: { type: 'string' },
    day: { enum: ['Monday', 'Tuesday', 'Sunday'] },
    urgent: { type: 'boolean' },
    items: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        properties: { name: { type: 'string' }, quantity: { type: 'integer', minimum: 1 } },
        required: ['name', 'quantity'],
        additionalProperties: false,
      },
    },
  },
  required: ['customer', 'city', 'day', 'urgent', 'items'],
  additionalProperties: false,
}

interface Finished {
  readonly text: string
  readonly tokenIds: number[]
  readonly finish: string
  readonly forwards: number
  readonly events: JobEvent[]
}

describe('texts of the bundled model under a grammar', { timeout: 120_000 }, () => {
  const vocabulary = Vocabulary.load(tokenizer)
  let engine: Engine & { dispose(): Promise<void> }
  let scheduler: Scheduler
  let running: Promise<void>

  before(async () => {
    const model = await loadModel(folder, 'int8')
    engine = await createOnnxEngine(model, { threads: 1, spinning: false, sequencesMax: 8 })
    const grammars = new Grammars(tokenizer)
    const now = (): number => performance.now()
    scheduler = new Scheduler({
      engine,
      maskTokenId: model.manifest.maskTokenId,
      runningMax: 8,
      cost: await measureRowCost(engine, now),
      now,
      onFault: (error) => assert.fail(error as Error),
      openGrammar: (jsonSchema) => grammars.open(jsonSchema),
    })
    running = scheduler.run()
  })
  after(async () => {
    scheduler.stop()
    await running
    await engine.dispose()
  })

  const promptOf = (text: string): number[] => [
    BOS,
    USER,
    ...vocabulary.encode(Buffer.from(text)),
    END,
    ASSISTANT,
  ]

  let count = 0
  const jobOf = (schema: unknown, more: Partial<Job> = {}): Job => ({
    id: `job-${(count += 1)}`,
    model: 'setblock-nano',
    tokenIds: promptOf(
      '[order] Please send 3 hats, 12 pears to Ada, Paris. Delivery: Monday. Urgent!',
    ),
    decoding: { mode: 'ntp', gamma: 0.35, rule: 'strict', blockLength: 8 },
    sampling: { temperature: 0, topP: 1, topK: 0, seed: 1 },
    maxTokens: 200,
    stopTokenIds: [EOS, END],
    grammar: { jsonSchema: JSON.stringify(schema) },
    ...more,
  })

  function run(job: Job): Promise<Finished> {
    return new Promise((resolve, reject) => {
      const tokens = new Map<number, number>()
      const events: JobEvent[] = []
      scheduler.submit(job, (event) => {
        events.push(event)
        if (event.type === 'error') reject(new Error(event.message))
        if (event.type === 'reveal') {
          for (const [index, position] of event.positions.entries()) {
            assert.ok(!tokens.has(position), 'a position was revealed twice')
            tokens.set(position, event.tokenIds[index] as number)
          }
        }
        if (event.type !== 'end') return
        const tokenIds = [...tokens].sort(([a], [b]) => a - b).map(([, id]) => id)
        const bytes = tokenIds.map((id) => vocabulary.bytesOf(id) ?? new Uint8Array())
        const { finishReason: finish, usage } = event
        assert.equal(usage.completionTokens, tokenIds.length)
        assert.ok(usage.rows === undefined || usage.rows.wasted >= 0)
        resolve({
          text: Buffer.concat(bytes).toString(),
          tokenIds,
          finish,
          forwards: usage.forwardPasses.decode,
          events,
        })
      })
    })
  }

  function assertValid({ text, finish }: Finished, schema: object): void {
    if (finish === 'length') return
    assert.equal(finish, 'stop')
    assert.ok(ajv.validate(schema, JSON.parse(text)), `${JSON.stringify(schema)}: ${text}`)
  }

  test('an order is read, and what is given by the schema costs no forward', async () => {
    for (const mode of MODES) {
      const job = jobOf(ORDER, { decoding: { mode, gamma: 0.35, rule: 'strict', blockLength: 8 } })
      const done = await run(job)
      assert.equal(done.finish, 'stop')
      assertValid(done, ORDER)
      assert.equal((JSON.parse(done.text) as { city: string }).city, 'Paris')
      assert.ok(done.forwards < done.tokenIds.length / 1.5, `${mode}: ${done.forwards} forwards`)
    }
  })

  test('random schemas, every mode, greedy and sampled, several jobs in a forward: always valid', async () => {
    const schemas = fc.sample(schemaArbitrary, { numRuns: 24, seed: 5 })
    let stopped = 0
    await Promise.all(
      schemas.flatMap((schema, index) =>
        MODES.map(async (mode) => {
          const decoding = {
            mode,
            gamma: [0, 0.35, 4][index % 3]!,
            rule: 'strict',
            blockLength: 6,
          } as const
          const sampling = {
            temperature: index % 2 === 0 ? 0 : 1.3,
            topP: 0.95,
            topK: 0,
            seed: index,
          }
          const done = await run(jobOf(schema, { decoding, sampling, maxTokens: 60 }))
          assertValid(done, schema)
          if (done.finish === 'stop') stopped += 1
        }),
      ),
    )
    assert.ok(stopped > 36, `${stopped} of 72 came to an end`)
  })

  test('verified is ntp token for token under the same grammar, also when sampling', async () => {
    const schemas = [
      ORDER,
      { type: 'object' },
      ...fc.sample(schemaArbitrary, { numRuns: 10, seed: 9 }),
    ]
    for (const [index, schema] of schemas.entries()) {
      const sampling = { temperature: index % 2, topP: 1, topK: 0, seed: index }
      const [ntp, verified] = await Promise.all(
        (['ntp', 'verified'] as const).map((mode) =>
          run(
            jobOf(schema, {
              decoding: { mode, gamma: 0, rule: 'strict', blockLength: 8 },
              sampling,
              maxTokens: 80,
            }),
          ),
        ),
      )
      assert.ok(ntp !== undefined && verified !== undefined)
      assert.deepEqual(verified.tokenIds, ntp.tokenIds)
      assert.equal(verified.finish, ntp.finish)
      assert.ok(verified.forwards <= ntp.forwards)
    }
  })

  test('every rule, a latency budget, and reports of tokens that had no choice', async () => {
    for (const rule of ruleSchema.options) {
      const decoding = { mode: 'sbd', gamma: 0.1, rule, blockLength: 8 } as const
      const more = { decoding, entropies: true, logprobs: 2, latencyBudgetMs: 1 }
      const done = await run(jobOf(ORDER, more))
      assertValid(done, ORDER)
      for (const event of done.events) {
        if (event.type !== 'reveal') continue
        assert.equal(event.entropies?.length, event.positions.length)
        assert.ok(event.logprobs?.every(({ logprob }) => logprob <= 0))
      }
    }
  })

  test('a text cut by max tokens says so; one that ends with its last token does not', async () => {
    for (const mode of MODES) {
      const decoding = { mode, gamma: 0.35, rule: 'strict', blockLength: 8 } as const
      const cut = await run(jobOf(ORDER, { decoding, maxTokens: 12 }))
      assert.equal(cut.finish, 'length')
      assert.equal(cut.tokenIds.length, 12)
      const whole = await run(jobOf({ const: true }, { decoding, stopTokenIds: [] }))
      assert.deepEqual([whole.text, whole.finish, whole.forwards], ['true', 'stop', 1])
    }
  })

  test('a schema that cannot be enforced ends its job alone', async () => {
    const other = run(jobOf(ORDER))
    await assert.rejects(run(jobOf({ pattern: '(a)\\1' })), /at \/pattern/)
    assertValid(await other, ORDER)
  })
})
