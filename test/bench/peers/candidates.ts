import { existsSync } from 'node:fs'
import path from 'node:path'
import { cachedFolder } from '../model-cache.ts'
import { readCheckpointFolder, readManifest } from './checkpoint-folder.ts'
import { convertToGguf } from './convert-gguf.ts'
import { convertToOnnx } from './convert-onnx.ts'
import type { GgmlType } from './gguf-quantise.ts'
import type { Dtype } from './onnx-linear.ts'
import type { PeerCommand } from './peer-process.ts'

export const PEERS = ['transformers.js', 'node-llama-cpp'] as const
export type Peer = (typeof PEERS)[number]

/** One setting of one peer. */
export interface Candidate extends PeerCommand {
  readonly peer: Peer
  /** Of the weights. */
  readonly format: Dtype | GgmlType
  readonly threads: number
}

export interface Formats {
  readonly onnx: readonly Dtype[]
  readonly gguf: readonly GgmlType[]
}

export const ALL_FORMATS: Formats = {
  onnx: ['fp32', 'q8', 'int8', 'q4'],
  gguf: ['f16', 'q8_0', 'q4_0'],
}

/** Whether `npm run bench:peers` was run. */
export const peersInstalled = existsSync(path.join(import.meta.dirname, 'node_modules'))

const THREADS = [1, 2]

const CONVERTERS = [
  'test/bench/peers',
  ...['onnx-model', 'protobuf', 'quantise-weights', 'safetensors'].map(
    (file) => `gpu-worker/src/model-builder/${file}.ts`,
  ),
]

/** The model's weights in the peers' formats, and every setting that they may run with. */
export async function candidatesFor(modelFolder: string, formats: Formats): Promise<Candidate[]> {
  const { id, weights, contextLength } = await readManifest(modelFolder)
  const name = `peers-${path.basename(modelFolder).replace(/-[0-9a-f]{16}$/, '')}`
  const key = { name, facts: { weights, formats }, builders: CONVERTERS }
  const files = await cachedFolder(key, async (folder) => {
    const checkpoint = await readCheckpointFolder(modelFolder)
    await convertToOnnx(checkpoint, formats.onnx, path.join(folder, id))
    for (const type of formats.gguf) {
      await convertToGguf(checkpoint, type, path.join(folder, `${id}.${type}.gguf`))
    }
  })
  const settings = <Format extends string>(list: readonly Format[]) =>
    list.flatMap((format) => THREADS.map((threads) => ({ format, threads })))
  const title = (peer: Peer, { format, threads }: { format: string; threads: number }): string =>
    `${peer} ${format}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`
  return [
    ...settings(formats.onnx).map((setting): Candidate => ({
      ...setting,
      peer: 'transformers.js',
      name: title('transformers.js', setting),
      script: 'transformers-js.mjs',
      args: [path.join(files, id), String(setting.threads), setting.format],
    })),
    ...settings(formats.gguf).map((setting): Candidate => ({
      ...setting,
      peer: 'node-llama-cpp',
      name: title('node-llama-cpp', setting),
      script: 'node-llama-cpp.mjs',
      args: [
        path.join(files, `${id}.${setting.format}.gguf`),
        String(setting.threads),
        String(contextLength),
      ],
    })),
  ]
}
