import { ApiError, type Job, type Manifest } from '@setblock/shared'
import type { SchemaRules } from '../grammar/schema-rules.ts'

/**
 * What the job schema cannot know: whether the model it names can serve the job.
 * @throws ApiError naming the field.
 */
export function assertServable(job: Job, manifest: Manifest, rules: SchemaRules): void {
  const { contextLength, maxBlockLength, maskTokenId, architecture, tokenizer } = manifest
  if (job.tokenizerSha256 !== undefined && job.tokenizerSha256 !== tokenizer.sha256) {
    const text = `model: the edge's tokenizer of ${job.model} is not the one of the loaded model`
    throw new ApiError('model_mismatch', text, { param: 'model' })
  }
  if (job.latencyBudgetMs !== undefined && job.decoding.mode !== 'sbd') {
    const text = `latencyBudgetMs: mode ${job.decoding.mode} has no entropy bound to raise`
    throw new ApiError('invalid_request', text, { param: 'latencyBudgetMs' })
  }
  const needed = job.tokenIds.length + job.maxTokens
  if (needed > contextLength) {
    const text = `${job.tokenIds.length} prompt tokens + maxTokens ${job.maxTokens} exceed the context of ${contextLength}`
    throw new ApiError('context_length_exceeded', text, { param: 'maxTokens' })
  }
  if (job.decoding.blockLength > maxBlockLength) {
    const text = `blockLength ${job.decoding.blockLength} exceeds the model's ${maxBlockLength}`
    throw new ApiError('invalid_request', text, { param: 'decoding.blockLength' })
  }
  const known = (id: number): boolean => id < architecture.vocabularySize && id !== maskTokenId
  if (!job.tokenIds.every(known)) {
    const text = 'tokenIds: an id is outside the vocabulary or is the mask token'
    throw new ApiError('invalid_request', text, { param: 'tokenIds' })
  }
  // Read again where the text is made: to refuse it here, before any event, is worth the time.
  if (job.grammar !== undefined) rules.read(job.grammar.jsonSchema)
}
