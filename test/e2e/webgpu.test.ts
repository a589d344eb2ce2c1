import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Job, JobEvent } from '@setblock/shared'
import { buildModel } from '../../gpu-worker/src/model-builder/build-model.ts'
import { writeRandomCheckpoint } from '../../gpu-worker/src/testing/random-checkpoint.ts'
import { withoutWebGpu } from '../../gpu-worker/src/testing/webgpu-model.ts'
import { repository } from '../../scripts/start/services.ts'
import { loadTokenizer } from '../eval/decode.ts'
import { WorkerProcess } from '../faults/worker-process.ts'
import { MODEL } from './stack-under-test.ts'

const PROMPTS = [
  '[order] Please send 3 hats, 12 pears to Ada, Paris. Delivery: Monday.',
  '[json] name: Ada; city: Rome; age: 31; paid: true',
  'Tell me a short story about a fox.',
]
/** Few: a forward on software Vulkan takes 20 to 100 ms. */
const TOKENS = 12
const DECODING = {
  ntp: { mode: 'ntp', gamma: 0, blockLength: 8, rule: 'strict' },
  verified: { mode: 'verified', gamma: 0, blockLength: 8, rule: 'strict' },
  sbd: { mode: 'sbd', gamma: 0.35, blockLength: 8, rule: 'strict' },
} as const satisfies Record<string, Job['decoding']>
type Mode = keyof typeof DECODING

const skip = await withoutWebGpu()

describe('the bundled model on WebGPU, in a worker of its own', { skip, timeout: 300_000 }, () => {
  let folder: string
  let cpu: WorkerProcess
  let gpu: WorkerProcess
  let prompts: number[][]
  let jobs = 0

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'setblock-webgpu-'))
    await cp(path.join(repository, 'models', MODEL), folder, { recursive: true })
    await buildModel({ folder, targets: ['fp32', 'webgpu-fp32'] })
    const { encodeChat } = await loadTokenizer(folder)
    prompts = PROMPTS.map((content) => encodeChat([{ role: 'user', content }]))
    const start = (device: string): Promise<WorkerProcess> =>
      WorkerProcess.start({
        modelFolder: folder,
        precision: 'fp32',
        env: { SETBLOCK_DEVICE: device, SETBLOCK_KV_BYTES_MAX: String(2 ** 28) },
      })
    ;[cpu, gpu] = await Promise.all([start('cpu'), start('webgpu')])
  })
  after(async () => {
    await Promise.all([cpu?.stop(), gpu?.stop()])
    await rm(folder, { recursive: true, force: true })
  })

  const run = async (worker: WorkerProcess, mode: Mode, tokenIds: number[], more = {}) => {
    const job: Job = {
      id: `job-${(jobs += 1)}`,
      model: MODEL,
      tokenIds,
      maxTokens: TOKENS,
      stopTokenIds: [],
      decoding: DECODING[mode],
      sampling: { temperature: 0, topP: 1, topK: 0, seed: 0 },
      ...more,
    }
    return readAnswer(await worker.run(job, 'tenant'))
  }

  for (const mode of ['ntp', 'verified', 'sbd'] as const) {
    test(`${mode}: the tokens of the CPU, alone and side by side`, async () => {
      const expected = []
      for (const prompt of prompts) expected.push(await run(cpu, mode, prompt))
      const [first] = prompts
      assert.deepEqual((await run(gpu, mode, first!)).tokens, expected[0]!.tokens)
      const together = await Promise.all(prompts.map((prompt) => run(gpu, mode, prompt)))
      for (const [i, { tokens }] of together.entries()) {
        assert.equal(tokens.length, TOKENS)
        assert.deepEqual(tokens, expected[i]!.tokens, PROMPTS[i])
      }
    })
  }

  test('verified decoding gives the tokens of next-token decoding, sampled too', async () => {
    const sampling = { temperature: 0.8, topP: 0.9, topK: 0, seed: 11 }
    const prompt = prompts[2]!
    const next = await run(gpu, 'ntp', prompt, { sampling })
    const verified = await run(gpu, 'verified', prompt, { sampling })
    assert.deepEqual(verified.tokens, next.tokens)
    assert.ok(verified.forwards <= next.forwards)
  })

  test('a second turn starts from the keys and values of the first', async () => {
    const session = { id: 'story', onDisconnect: 'rollback' } as const
    const opening = prompts.flat()
    const first = await run(gpu, 'ntp', opening, { session })
    assert.equal(first.cachedTokens, 0)
    const again = [...opening, ...first.tokens, ...prompts[1]!]
    const second = await run(gpu, 'ntp', again, { session })
    assert.ok(second.cachedTokens >= 64, `${second.cachedTokens} cached tokens`)
    assert.deepEqual(second.tokens, (await run(cpu, 'ntp', again)).tokens)
  })
})

function readAnswer(events: readonly JobEvent[]) {
  const tokens = new Map<number, number>()
  for (const event of events) {
    if (event.type !== 'reveal') continue
    for (const [i, position] of event.positions.entries()) tokens.set(position, event.tokenIds[i]!)
  }
  const start = events.find((event) => event.type === 'start')
  const end = events.at(-1)
  assert.ok(start?.type === 'start' && end?.type === 'end', JSON.stringify(end))
  return {
    tokens: [...tokens].sort(([a], [b]) => a - b).map(([, token]) => token),
    cachedTokens: start.cachedTokens,
    forwards: end.usage.forwardPasses.decode,
  }
}

describe('a machine without a GPU', { skip: process.platform !== 'linux' }, () => {
  /** The Vulkan loader finds no driver: as if there were none. */
  const NO_DRIVER = { VK_DRIVER_FILES: '/dev/null', VK_ICD_FILENAMES: '/dev/null' }

  test('--device webgpu ends with one line, --device auto takes the CPU', async () => {
    const { folder, remove } = await writeRandomCheckpoint()
    try {
      await buildModel({ folder, targets: ['fp32', 'webgpu-fp32'] })
      const main = path.join(repository, 'gpu-worker', 'src', 'main.ts')
      const env = { ...process.env, ...NO_DRIVER, SETBLOCK_JOB_SECRET: '-'.repeat(64) }
      const args = [main, '--model', folder, '--device', 'webgpu', '--port', '0']
      const refused = spawnSync(process.execPath, args, { env, encoding: 'utf8', timeout: 60_000 })
      assert.equal(refused.status, 1)
      assert.match(
        refused.stderr,
        /device webgpu: cannot be used: Failed to get a WebGPU adapter: .+/,
      )
      const auto = { ...NO_DRIVER, SETBLOCK_DEVICE: 'auto' }
      const worker = await WorkerProcess.start({
        modelFolder: folder,
        precision: 'fp32',
        env: auto,
      })
      await worker.stop()
    } finally {
      await remove()
    }
  })
})
