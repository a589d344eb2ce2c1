/**
 * How often the int8 graph of the bundled model names the token of the fp32 graph, on the held-out tasks, teacher-forced:
 * every causal row of prompt and answer, and a block of masks after each prompt.
 *
 *   npm run eval:precision -- [--rows 20]
 *
 * The fp32 graph is built into a temporary folder from the same safetensors. The last line is JSON.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import type { Engine, SequenceRows } from '../../gpu-worker/src/engine/engine.ts'
import { loadModel } from '../../gpu-worker/src/engine/manifest.ts'
import { createOnnxEngine } from '../../gpu-worker/src/engine/onnx-engine.ts'
import { buildModel } from '../../gpu-worker/src/model-builder/build-model.ts'
import { loadTokenizer } from './decode.ts'
import { bundledModel, provenance } from './provenance.ts'
import { readItems, TASKS } from './tasks.ts'

const { values } = parseArgs({ options: { rows: { type: 'string', default: '20' } } })

/** Ids of one forward on an empty cache. */
async function idsOf(engine: Engine, rows: Omit<SequenceRows, 'sequence'>): Promise<Int32Array> {
  const sequence = engine.open()
  const [results] = await engine.forward([{ sequence, ...rows }])
  engine.close(sequence)
  return results?.ids ?? new Int32Array()
}

const folder = await mkdtemp(path.join(tmpdir(), 'setblock-precision-'))
await cp(bundledModel, folder, { recursive: true })
await buildModel({ folder, targets: ['fp32'] })
const options = { threads: 1, spinning: false, sequencesMax: 1 }
const int8 = await createOnnxEngine(await loadModel(bundledModel, 'int8'), options)
const fp32 = await createOnnxEngine(await loadModel(folder, 'fp32'), options)
const { manifest, encodeChat, tokenizer } = await loadTokenizer(bundledModel)

const counts = { causal: { rows: 0, agree: 0 }, masked: { rows: 0, agree: 0 } }
for (const task of TASKS) {
  for (const { prompt, answer } of await readItems(task, Number(values.rows))) {
    const promptIds = encodeChat([{ role: 'user', content: prompt }])
    const text = [...promptIds, ...tokenizer.encodeText(answer ?? '')]
    const masks = Array.from({ length: 8 }, () => manifest.maskTokenId)
    const shared = { entropies: false, top: 'none' } as const
    const forwards = {
      causal: { tail: text, groups: [], readTail: text.length, ...shared },
      masked: {
        tail: promptIds,
        groups: [{ tokens: masks, afterTail: promptIds.length }],
        readTail: 0,
        ...shared,
      },
    }
    for (const kind of ['causal', 'masked'] as const) {
      const [a, b] = [await idsOf(int8, forwards[kind]), await idsOf(fp32, forwards[kind])]
      counts[kind].rows += a.length
      counts[kind].agree += a.filter((id, row) => id === b[row]).length
    }
  }
}
await Promise.all([int8.dispose(), fp32.dispose(), rm(folder, { recursive: true })])
const agreement = Object.fromEntries(
  Object.entries(counts).map(([kind, { rows, agree }]) => [
    kind,
    { rows, agreement: agree / rows },
  ]),
)
process.stdout.write(`${JSON.stringify({ ...provenance(), ...agreement })}\n`)
