import { TOP_CANDIDATES, type RowResults } from '../../../gpu-worker/src/decoding/rows.ts'
import type { Engine } from '../../../gpu-worker/src/engine/engine.ts'
import { loadModel } from '../../../gpu-worker/src/engine/manifest.ts'
import { createOnnxEngine } from '../../../gpu-worker/src/engine/onnx-engine.ts'
import { loadTokenizer } from '../decode.ts'

/** What a text costs under the causal reading of the model, given its prompt. */
export interface Scorer {
  /**
   * Negative log-likelihood in nats, summed over the tokens. A token below the 64 best counts as
   * the 64th: a bound from below.
   */
  nats(prompt: string, tokenIds: readonly number[]): Promise<number>
  close(): Promise<void>
}

export async function createScorer(folder: string): Promise<Scorer> {
  const { encodeChat } = await loadTokenizer(folder)
  const loaded = await loadModel(folder, 'int8')
  const engine = await createOnnxEngine(loaded, { threads: 1, spinning: false, sequencesMax: 1 })
  return {
    nats: (prompt, tokenIds) =>
      score(engine, encodeChat([{ role: 'user', content: prompt }]), tokenIds),
    close: () => engine.dispose(),
  }
}

async function score(
  engine: Engine,
  prompt: readonly number[],
  text: readonly number[],
): Promise<number> {
  const tokens = [...prompt, ...text]
  const sequence = engine.open()
  let nats = 0
  // The last token predicts nothing that is scored.
  for (let start = 0; start < tokens.length - 1; start += engine.limits.rowsMax) {
    const tail = tokens.slice(start, Math.min(start + engine.limits.rowsMax, tokens.length - 1))
    const rows = {
      sequence,
      tail,
      groups: [],
      readTail: tail.length,
      entropies: 'all',
      top: 'tail',
    }
    const [results] = await engine.forward([rows as never])
    engine.commit(sequence, tail.length)
    for (let row = 0; row < tail.length; row++) {
      const position = start + row + 1
      if (position >= prompt.length) {
        nats -= logProbability(results as RowResults, row, tokens[position] as number)
      }
    }
  }
  engine.close(sequence)
  return nats
}

function logProbability(results: RowResults, row: number, token: number): number {
  const { topIds, topLogits, logprobs } = results as Required<RowResults>
  const first = row * TOP_CANDIDATES
  const found = topIds.subarray(first, first + TOP_CANDIDATES).indexOf(token)
  const place = found === -1 ? TOP_CANDIDATES - 1 : found
  const gap = (topLogits[first + place] as number) - (topLogits[first] as number)
  return gap + (logprobs[row] as number)
}
