import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { ruleSchema, type Job, type JobEvent } from '@setblock/shared'
import * as z from 'zod'
import { loadModel } from '../engine/manifest.ts'
import { createOnnxEngine } from '../engine/onnx-engine.ts'
import { goldenFolder } from '../testing/golden-cases.ts'
import type { GoldenName } from '../testing/golden-cases.ts'
import { buildTinyModel } from '../testing/tiny-model.ts'
import { measureRowCost } from './row-cost.ts'
import { Scheduler } from './scheduler.ts'

/** Greedy texts that training/setblock_training/decode.py gave, by full recomputation in PyTorch. */
const goldenSchema = z.object({
  texts: z
    .array(
      z.object({
        prompt: z.array(z.int()),
        mode: z.enum(['ntp', 'sbd']),
        gamma: z.number(),
        rule: ruleSchema,
        blockLength: z.int(),
        tokens: z.array(z.int()),
        forwards: z.int(),
      }),
    )
    .min(1),
})
type GoldenText = z.infer<typeof goldenSchema>['texts'][number]

const TEXT_TOKENS = 40
const SEQUENCES = 3

const toJob = (golden: GoldenText, index: number, stopTokenIds: number[]): Job => ({
  id: `golden-${index}`,
  model: 'golden',
  tokenIds: golden.prompt,
  maxTokens: TEXT_TOKENS,
  stopTokenIds,
  decoding: {
    mode: golden.mode,
    gamma: golden.gamma,
    blockLength: golden.blockLength,
    rule: golden.rule,
  },
  sampling: { temperature: 0, topP: 1, topK: 0, seed: 0 },
})

function decode(scheduler: Scheduler, job: Job): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  return new Promise((resolve) => {
    scheduler.submit(job, (event) => {
      events.push(event)
      if (event.type === 'end' || event.type === 'error') resolve(events)
    })
  })
}

function readText(events: readonly JobEvent[], start: number) {
  const end = events.at(-1)
  assert.equal(end?.type, 'end')
  const tokens = new Map<number, number>()
  const logprobs = new Map<number, unknown>()
  for (const event of events) {
    if (event.type !== 'reveal') continue
    for (const [index, at] of event.positions.entries()) {
      tokens.set(at, event.tokenIds[index]!)
      logprobs.set(at, event.logprobs?.[index])
    }
  }
  const { completionTokens, forwardPasses } = end.usage
  const text = Array.from({ length: completionTokens }, (_, index) => tokens.get(start + index))
  return { text, logprobs, forwards: forwardPasses.decode }
}

/** A model from its golden checkpoint, fp32, behind a scheduler of its own. */
async function open(name: GoldenName, runningMax: number) {
  const tiny = await buildTinyModel(name, 'fp32')
  const model = await loadModel(tiny.folder, 'fp32')
  const options = { threads: 1, spinning: false, sequencesMax: runningMax }
  const engine = await createOnnxEngine(model, options)
  const now = (): number => performance.now()
  const { maskTokenId, eosTokenIds } = model.manifest
  const scheduler = new Scheduler({
    engine,
    maskTokenId,
    runningMax,
    cost: await measureRowCost(engine, now),
    now,
    onFault: (error) => assert.fail(String(error)),
  })
  const stopped = scheduler.run()
  const close = async (): Promise<void> => {
    scheduler.stop()
    await stopped
    engine.checkIntegrity()
    await engine.dispose()
    await tiny.remove()
  }
  return { scheduler, eosTokenIds, close }
}

test('streams that share a batch do not change each other: every mode, greedy and sampled', async () => {
  const { scheduler, close } = await open('golden-llama', 8)
  const jobs = Array.from({ length: 8 }, (_, index): Job => {
    const mode = (['verified', 'ntp', 'sbd', 'verified'] as const)[index % 4]!
    return {
      id: `shared-${index}`,
      model: 'golden',
      tokenIds: Array.from({ length: 1 + 9 * (index % 5) }, (_token, at) => 8 + ((at * 13) % 100)),
      maxTokens: TEXT_TOKENS - 3 * index,
      stopTokenIds: [],
      decoding: { mode, gamma: 0.5, blockLength: 8, rule: 'confidence' },
      sampling: { temperature: index < 4 ? 0 : 0.8, topP: 0.9, topK: 0, seed: 7 },
      entropies: true,
      logprobs: 2,
    }
  })
  const alone: JobEvent[][] = []
  for (const job of jobs) alone.push(await decode(scheduler, job))
  const together = await Promise.all(jobs.map((job) => decode(scheduler, job)))
  for (const [index, job] of jobs.entries()) {
    const start = job.tokenIds.length
    const [one, other] = [alone[index]!, together[index]!].map((events) => readText(events, start))
    assert.deepEqual(other!.text, one!.text, job.id)
    assert.deepEqual(other!.logprobs, one!.logprobs, job.id)
  }
  const [ntp, verified] = [
    alone[1]!,
    await decode(scheduler, { ...jobs[1]!, decoding: jobs[0]!.decoding }),
  ]
  assert.deepEqual(
    readText(verified, jobs[1]!.tokenIds.length).text,
    readText(ntp, jobs[1]!.tokenIds.length).text,
  )
  await close()
})

for (const name of ['golden-llama', 'golden-qwen3'] satisfies GoldenName[]) {
  test(`${name}: cached decoding, three at a time, gives the texts of PyTorch`, async () => {
    const json = await readFile(path.join(goldenFolder(name), 'golden.json'), 'utf8')
    const { texts } = goldenSchema.parse(JSON.parse(json))
    const { scheduler, eosTokenIds, close } = await open(name, SEQUENCES)
    const jobs = texts.map((golden, index) => toJob(golden, index, eosTokenIds))
    const all = await Promise.all(jobs.map((job) => decode(scheduler, job)))
    for (const [index, golden] of texts.entries()) {
      const { text, forwards } = readText(all[index]!, golden.prompt.length)
      const setting = `${golden.mode} ${golden.rule}, gamma ${golden.gamma}, k ${golden.blockLength}`
      assert.deepEqual(text, golden.tokens, setting)
      assert.equal(forwards, golden.forwards, setting)
    }
    await close()
  })
}
