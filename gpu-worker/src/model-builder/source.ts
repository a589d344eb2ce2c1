import { limits, manifestSchema } from '@setblock/shared'
import * as z from 'zod'

import type { CheckpointConfig } from './hf-config.ts'
import { ModelError } from '../engine/model-error.ts'

/**
 * `setblock.source.json`: what a checkpoint does not say about itself and a manifest must. Each
 * field means what it means in `setblock.json`.
 */
const sourceSchema = z.strictObject({
  ...z.strictObject(manifestSchema.shape).pick({
    id: true,
    name: true,
    maskTokenId: true,
    bosTokenId: true,
    eosTokenIds: true,
    padTokenId: true,
    contextLength: true,
    maxBlockLength: true,
    defaults: true,
    provenance: true,
  }).shape,
})
export type ModelSource = z.infer<typeof sourceSchema>

export function parseSource(
  json: unknown,
  { architecture, maxPositions }: CheckpointConfig,
  fileName = 'setblock.source.json',
): ModelSource {
  const parsed = sourceSchema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw new ModelError(`${fileName} ${issue.path.join('.')}`, issue.message)
  }
  const source = parsed.data
  const { vocabularySize } = architecture
  if (source.maskTokenId >= vocabularySize) {
    throw new ModelError(`${fileName} maskTokenId`, `must be below vocab_size ${vocabularySize}`)
  }
  if (vocabularySize <= limits.topKMax) {
    throw new ModelError('config.json vocab_size', `must exceed ${limits.topKMax}`)
  }
  if (source.contextLength > maxPositions) {
    throw new ModelError(
      `${fileName} contextLength`,
      `must not exceed max_position_embeddings ${maxPositions}`,
    )
  }
  return source
}
