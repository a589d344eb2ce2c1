import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import type { Job, JobEvent } from '@setblock/shared'
import * as z from 'zod'
import { loadModel } from '../engine/manifest.ts'
import { createOnnxEngine } from '../engine/onnx-engine.ts'
import { buildTinyModel, goldenFolder, type GoldenName } from '../testing/tiny-model.ts'
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
    rule: 'strict',
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
  for (const event of events) {
    if (event.type !== 'reveal') continue
    for (const [index, at] of event.positions.entries()) tokens.set(at, event.tokenIds[index]!)
  }
  const { completionTokens, forwardPasses } = end.usage
  const text = Array.from({ length: completionTokens }, (_, index) => tokens.get(start + index))
  return { text, forwards: forwardPasses.decode }
}

for (const name of ['golden-llama', 'golden-qwen3'] satisfies GoldenName[]) {
  test(`${name}: cached decoding, three at a time, gives the texts of PyTorch`, async () => {
    const json = await readFile(path.join(goldenFolder(name), 'golden.json'), 'utf8')
    const { texts } = goldenSchema.parse(JSON.parse(json))
    const tiny = await buildTinyModel(name, 'fp32')
    const model = await loadModel(tiny.folder, 'fp32')
    const options = { threads: 1, spinning: false, sequencesMax: SEQUENCES }
    const engine = await createOnnxEngine(model, options)
    const { maskTokenId, eosTokenIds } = model.manifest
    const scheduler = new Scheduler({
      engine,
      maskTokenId,
      runningMax: SEQUENCES,
      cost: await measureRowCost(engine, () => performance.now()),
      now: () => performance.now(),
      onFault: (error) => assert.fail(String(error)),
    })
    const stopped = scheduler.run()
    const jobs = texts.map((golden, index) => toJob(golden, index, eosTokenIds))
    const all = await Promise.all(jobs.map((job) => decode(scheduler, job)))
    for (const [index, golden] of texts.entries()) {
      const { text, forwards } = readText(all[index]!, golden.prompt.length)
      const setting = `${golden.mode}, gamma ${golden.gamma}, k ${golden.blockLength}`
      assert.deepEqual(text, golden.tokens, setting)
      assert.equal(forwards, golden.forwards, setting)
    }
    scheduler.stop()
    await stopped
    engine.checkIntegrity()
    await engine.dispose()
    await tiny.remove()
  })
}
