/**
 * How often a smaller form of the bundled model names the token of the fp32 graph, on the held-out tasks, teacher-forced:
 * every causal row of prompt and answer, and a block of masks after each prompt.
 *
 *   npm run eval:precision -- [--target cpu-int8] [--rows 20]
 *
 * Both graphs are built into a temporary folder from the same safetensors. Targets webgpu-* need a WebGPU adapter, a
 * software one will do. The items are the first `rows` of each task: nothing is drawn. The last line is JSON.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import type { Engine, SequenceRows } from '../../gpu-worker/src/engine/engine.ts'
import { loadForm, readManifest } from '../../gpu-worker/src/engine/manifest.ts'
import { createOnnxEngine } from '../../gpu-worker/src/engine/onnx-engine.ts'
import { createWebGpuEngine } from '../../gpu-worker/src/engine/webgpu-engine.ts'
import { buildModel } from '../../gpu-worker/src/model-builder/build-model.ts'
import {
  graphName,
  isTarget,
  TARGETS,
  type Target,
} from '../../gpu-worker/src/model-builder/targets.ts'
import { loadTokenizer } from './decode.ts'
import { bundledModel, provenance } from './provenance.ts'
import { readItems, TASKS } from './tasks.ts'

const BLOCK_LENGTH = 8

type Rows = Omit<SequenceRows, 'sequence'>

const { values } = commandLine({
  options: {
    target: { type: 'string', default: 'cpu-int8' },
    rows: { type: 'string', default: '20' },
  },
})
const { target } = values
if (!isTarget(target)) throw new Error(`--target is one of ${Object.keys(TARGETS).join(', ')}`)

async function openTarget(folder: string, wanted: Target): Promise<Engine> {
  const manifest = await readManifest(folder)
  const form = manifest.graphs.find(({ file }) => file === graphName(TARGETS[wanted]))
  if (form === undefined) throw new Error(`${wanted} was not built`)
  const model = await loadForm(folder, manifest, form)
  if (form.provider === 'webgpu') return createWebGpuEngine(model, { sequencesMax: 1 })
  const { provider } = form
  return createOnnxEngine(model, { provider, threads: 1, spinning: false, sequencesMax: 1 })
}

/** Ids of one forward on an empty cache. */
async function idsOf(engine: Engine, rows: Rows): Promise<Int32Array> {
  const sequence = engine.open()
  const [results] = await engine.forward([{ sequence, ...rows }])
  engine.close(sequence)
  return results?.ids ?? new Int32Array()
}

function forwardsOf(promptIds: number[], answerIds: readonly number[], maskTokenId: number) {
  const text = [...promptIds, ...answerIds]
  const masks = Array.from({ length: BLOCK_LENGTH }, () => maskTokenId)
  const shared = { entropies: 'none', top: 'none' } as const
  return {
    causal: { tail: text, groups: [], readTail: text.length, ...shared },
    masked: {
      tail: promptIds,
      groups: [{ tokens: masks, afterTail: promptIds.length }],
      readTail: 0,
      ...shared,
    },
  } satisfies Record<string, Rows>
}

const folder = await mkdtemp(path.join(tmpdir(), 'setblock-precision-'))
try {
  await cp(bundledModel, folder, { recursive: true })
  await buildModel({ folder, targets: ['fp32', target] })
  const [smaller, fp32] = [await openTarget(folder, target), await openTarget(folder, 'fp32')]
  const { manifest, encodeChat, tokenizer } = await loadTokenizer(bundledModel)
  const counts = { causal: { rows: 0, agree: 0 }, masked: { rows: 0, agree: 0 } }
  for (const task of TASKS) {
    for (const { prompt, answer } of await readItems(task, Number(values.rows))) {
      const promptIds = encodeChat([{ role: 'user', content: prompt }])
      const answerIds = tokenizer.encodeText(answer ?? '')
      const forwards = forwardsOf(promptIds, answerIds, manifest.maskTokenId)
      for (const kind of ['causal', 'masked'] as const) {
        const [a, b] = [await idsOf(smaller, forwards[kind]), await idsOf(fp32, forwards[kind])]
        counts[kind].rows += a.length
        counts[kind].agree += a.filter((id, row) => id === b[row]).length
      }
    }
  }
  await Promise.all([smaller.dispose(), fp32.dispose()])
  const agreement = Object.fromEntries(
    Object.entries(counts).map(([kind, { rows, agree }]) => [
      kind,
      { rows, agreement: agree / rows },
    ]),
  )
  const weights = manifest.weights.sha256
  process.stdout.write(`${JSON.stringify({ ...provenance(), target, weights, ...agreement })}\n`)
} finally {
  await rm(folder, { recursive: true })
}
