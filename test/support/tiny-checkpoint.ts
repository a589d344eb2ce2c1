import { cp, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { writeRandomCheckpoint } from '../../gpu-worker/src/testing/random-checkpoint.ts'

const TINY_TOKENIZER = path.join(import.meta.dirname, '../../edge/fixtures/tiny-model')

export interface TinyCheckpoint {
  /** A Hugging Face folder: random weights, and a real tokenizer with a mask token. */
  readonly folder: string
  remove(): Promise<void>
}

/** A checkpoint that a stranger might bring, small enough to be built and served in a moment. */
export async function writeTinyCheckpoint(
  options: { id?: string; type?: 'llama' | 'qwen3'; seed?: number; chatTemplate?: boolean } = {},
): Promise<TinyCheckpoint> {
  const { id, type = 'llama', seed = 1, chatTemplate = true } = options
  // A head of its own: random weights with a tied one say their last token again and again.
  const shape = { type, seed, vocabularySize: 448, tied: false }
  const checkpoint = await writeRandomCheckpoint(shape)
  const { folder } = checkpoint
  for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
    await cp(path.join(TINY_TOKENIZER, file), path.join(folder, file))
  }
  if (!chatTemplate) await change(folder, 'tokenizer_config.json', { chat_template: undefined })
  if (id !== undefined) await change(folder, 'setblock.source.json', { id, name: id })
  return checkpoint
}

async function change(folder: string, name: string, fields: object): Promise<void> {
  const file = path.join(folder, name)
  const facts = JSON.parse(await readFile(file, 'utf8')) as object
  await writeFile(file, JSON.stringify({ ...facts, ...fields }))
}
