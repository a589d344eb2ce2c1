import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  manifestSchema,
  type Decoding,
  type Job,
  type JobEvent,
  type Manifest,
} from '@setblock/shared'
import { EngineClient } from '../../gpu-worker/src/engine-thread/engine-client.ts'
import { createChatEncoder } from '../../edge/src/tokenizer/chat-template.ts'
import { createTextTokenizer } from '../../edge/src/tokenizer/text-tokenizer.ts'

const GREEDY: Job['sampling'] = { temperature: 0, topP: 1, topK: 0, seed: 0 }

/** One decoded prompt. */
export interface Decoded {
  readonly tokenIds: readonly number[]
  readonly text: string
  readonly forwards: number
  /** From submission to the last event. */
  readonly wallMs: number
}

/** The bundled engine and tokenizer without HTTP between: what is measured is decoding. */
export interface EvalModel {
  readonly manifest: Manifest
  /** Greedy unless a way of sampling is given. */
  decode(
    prompt: string,
    decoding: Decoding,
    maxTokens: number,
    sampling?: Job['sampling'],
  ): Promise<Decoded>
  close(): Promise<void>
}

export async function loadTokenizer(folder: string) {
  const json = async (file: string): Promise<Record<string, unknown>> =>
    JSON.parse(await readFile(join(folder, file), 'utf8'))
  const manifest = manifestSchema.parse(await json('setblock.json'))
  const variables = await json(manifest.tokenizer.configFile)
  const tokenizer = createTextTokenizer(await json(manifest.tokenizer.file), variables)
  const template = String(variables['chat_template'])
  return { manifest, tokenizer, encodeChat: createChatEncoder({ template, tokenizer, variables }) }
}

/** `threads` 0 takes as many as the worker would. */
export async function openModel(folder: string, options: { threads: number }): Promise<EvalModel> {
  const { manifest, tokenizer, encodeChat } = await loadTokenizer(folder)
  const engine = await EngineClient.start({
    modelFolder: folder,
    precision: 'int8',
    threads: options.threads,
    spinning: false,
    engines: 1,
    runningMax: 1,
    queueLengthMax: 0,
  })
  let jobs = 0

  async function decode(
    prompt: string,
    decoding: Decoding,
    maxTokens: number,
    sampling: Job['sampling'] = GREEDY,
  ): Promise<Decoded> {
    const promptIds = encodeChat([{ role: 'user', content: prompt }])
    const room = manifest.contextLength - promptIds.length
    const id = `eval-${jobs++}`
    const revealed = new Map<number, number>()
    const startedMs = performance.now()
    const end = await new Promise<JobEvent>((resolve) => {
      const job = {
        id,
        model: manifest.id,
        tokenIds: promptIds,
        decoding,
        sampling,
        maxTokens: Math.min(maxTokens, room),
        stopTokenIds: manifest.eosTokenIds,
      }
      engine.submit(job, (event) => {
        if (event.type === 'end' || event.type === 'error') resolve(event)
        if (event.type !== 'reveal') return
        for (const [index, position] of event.positions.entries()) {
          revealed.set(position, event.tokenIds[index] as number)
        }
      })
    })
    const wallMs = performance.now() - startedMs
    if (end.type !== 'end') throw new Error(`the job ended with ${JSON.stringify(end)}`)
    const length = end.usage.completionTokens
    const tokenIds = Array.from({ length }, (_, i) => revealed.get(promptIds.length + i) as number)
    const bytes = tokenIds.map((tokenId) => tokenizer.bytesOf(tokenId))
    const text = new TextDecoder().decode(Buffer.concat(bytes))
    return { tokenIds, text, forwards: end.usage.forwardPasses.decode, wallMs }
  }

  return { manifest, decode, close: () => engine.drain(0) }
}
