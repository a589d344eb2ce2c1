import * as z from 'zod'
import { blockLengthSchema, modeSchema, modelIdSchema, ruleSchema, sha256Schema } from './job.ts'
import { gammaSchema } from './gamma.ts'
import { limits } from './limits.ts'

const size = z.int().min(1)
const tokenId = z.int().min(0).max(limits.tokenIdMax)
const sha256 = sha256Schema
/** A name inside the model folder: no separators, so it cannot lead out of it. */
const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be a plain file name')

const factor = z.number().min(1)

/** With the meaning that transformers gives to the fields of the same names. */
const ropeScalingSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('linear'), factor }),
  z.strictObject({
    type: z.literal('llama3'),
    factor,
    lowFrequencyFactor: z.number().positive(),
    highFrequencyFactor: z.number().positive(),
    originalPositions: size,
  }),
  z.strictObject({
    type: z.literal('yarn'),
    factor,
    betaFast: z.number().positive(),
    betaSlow: z.number().positive(),
    originalPositions: size,
    /** Multiplies sines and cosines. */
    attentionFactor: z.number().positive(),
    truncate: z.boolean(),
  }),
])

const architectureSchema = z
  .strictObject({
    type: z.enum(['llama', 'qwen2', 'qwen3']),
    layers: size,
    hiddenSize: size,
    heads: size,
    keyValueHeads: size,
    headSize: size.multipleOf(2),
    intermediateSize: size,
    vocabularySize: size,
    ropeTheta: z.number().positive(),
    normEpsilon: z.number().positive(),
    tiedEmbeddings: z.boolean(),
    qkNorm: z.boolean(),
    /** How the rotation is stretched beyond the context of pre-training; absent: not at all. */
    ropeScaling: ropeScalingSchema.optional(),
    /** Biases on queries, keys and values, except for qwen2 also behind attention. */
    attentionBias: z.boolean().optional(),
    mlpBias: z.boolean().optional(),
  })
  .refine((architecture) => architecture.heads % architecture.keyValueHeads === 0, {
    path: ['keyValueHeads'],
    error: 'must divide heads',
  })

/** Weights outside of the graph file, which the graph names by file, offset and length. */
const graphDataSchema = z.strictObject({ file: fileName, bytes: size, sha256 })

const graphSchema = z.strictObject({
  provider: z.enum(['cpu', 'webgpu', 'cuda']),
  precision: z.enum(['int8', 'fp32', 'fp16', 'q4f16']),
  file: fileName,
  sha256,
  data: z.array(graphDataSchema).min(1).optional(),
})

/**
 * `setblock.json`, the one source of facts about a model. The model builder writes it, everybody
 * else only reads it.
 */
export const manifestSchema = z
  .strictObject({
    formatVersion: z.literal(1),
    id: modelIdSchema,
    name: z.string().min(1),
    architecture: architectureSchema,
    /** Prompt and completion together, in tokens. */
    contextLength: size,
    maxBlockLength: blockLengthSchema,
    maskTokenId: tokenId,
    bosTokenId: tokenId,
    eosTokenIds: z.array(tokenId).min(1).max(limits.stopTokenIdsMax),
    padTokenId: tokenId,
    defaults: z.strictObject({
      mode: modeSchema,
      gamma: gammaSchema,
      rule: ruleSchema,
      blockLength: blockLengthSchema,
    }),
    graphs: z.array(graphSchema).min(1),
    /** The file of weights, or the index of several. */
    weights: z.strictObject({
      file: fileName,
      sha256,
      shards: z
        .array(z.strictObject({ file: fileName, sha256 }))
        .min(1)
        .optional(),
    }),
    tokenizer: z.strictObject({
      file: fileName,
      sha256,
      configFile: fileName,
      configSha256: sha256,
    }),
    provenance: z.looseObject({ createdBy: z.string(), license: z.string() }),
  })
  .superRefine((manifest, context) => {
    const { vocabularySize } = manifest.architecture
    const fail = (path: string[], message: string): void => {
      context.addIssue({ code: 'custom', path, message })
    }
    for (const field of ['maskTokenId', 'bosTokenId', 'padTokenId'] as const) {
      if (manifest[field] >= vocabularySize) fail([field], `must be below ${vocabularySize}`)
    }
    if (manifest.eosTokenIds.some((id) => id >= vocabularySize)) {
      fail(['eosTokenIds'], `must be below ${vocabularySize}`)
    }
    if (manifest.eosTokenIds.includes(manifest.maskTokenId)) {
      fail(['maskTokenId'], 'must not be an end token')
    }
    if (manifest.defaults.blockLength > manifest.maxBlockLength) {
      fail(['defaults', 'blockLength'], `must not exceed maxBlockLength ${manifest.maxBlockLength}`)
    }
    if (manifest.contextLength < 2 * manifest.maxBlockLength) {
      fail(['contextLength'], 'must hold at least two blocks')
    }
    const forms = manifest.graphs.map((graph) => `${graph.provider}/${graph.precision}`)
    if (new Set(forms).size < forms.length) fail(['graphs'], 'must not repeat a form')
  })

export type Manifest = z.infer<typeof manifestSchema>
export type RopeScaling = z.infer<typeof ropeScalingSchema>
export type Architecture = z.infer<typeof architectureSchema>
export type GraphFile = z.infer<typeof graphSchema>
