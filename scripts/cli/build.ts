import process from 'node:process'
import { ModelError } from '../../gpu-worker/src/engine/model-error.ts'
import { buildModel, type BuildReport } from '../../gpu-worker/src/model-builder/build-model.ts'
import { BUILD_USAGE, parseBuildOptions } from './build-options.ts'
import { megabytes, ProgressView } from './build-progress.ts'
import { CliError, type Command } from './command.ts'

/** `npx setblock build`: a checkpoint to a model folder. */
export const build: Command = { usage: BUILD_USAGE, run }

async function run(args: readonly string[]): Promise<number> {
  const options = parseBuildOptions(args)
  const view = new ProgressView(process.stderr, () => performance.now())
  const startMs = performance.now()
  try {
    const report = await buildModel({ ...options, onProgress: (progress) => view.show(progress) })
    const seconds = (performance.now() - startMs) / 1000
    for (const note of notes(report)) process.stderr.write(`note: ${note}\n`)
    for (const line of summary(report, options.out, seconds)) process.stdout.write(`${line}\n`)
    return 0
  } catch (error) {
    if (error instanceof ModelError) throw new CliError(error.message)
    throw error
  }
}

/** What a user should know before serving the model. */
export function notes({ addedMaskId, isTokenizerForeign, manifest }: BuildReport): string[] {
  const lines: string[] = []
  if (addedMaskId !== undefined) {
    lines.push(
      `the mask token was added as id ${addedMaskId} and never trained: only mode ntp is of use until the model is ` +
        'fine-tuned (training/finetune.py), so ntp is the default of this model.',
    )
  }
  if (isTokenizerForeign) {
    lines.push(
      'tokenizer.json pre_tokenizer is not ByteLevel: the worker can serve this model, but the edge refuses to start with ' +
        'it, because it turns text into tokens of byte-level vocabularies only (as of Llama 3 and Qwen, not of Llama 2).',
    )
  }
  if (manifest.graphs.some(({ provider }) => provider === 'cuda')) {
    lines.push('graphs for CUDA were never run on CUDA by those who wrote this program.')
  }
  return lines
}

function summary({ manifest, graphs }: BuildReport, out: string, seconds: number): string[] {
  const { id, contextLength, maskTokenId } = manifest
  return [
    ...graphs.map(
      ({ target, file, bytes, nodeCount }) =>
        `${target}: ${file}, ${megabytes(bytes)}, ${nodeCount} nodes`,
    ),
    `${id} in ${out}: context ${contextLength}, mask token ${maskTokenId}, built in ${seconds.toFixed(1)} s`,
  ]
}
