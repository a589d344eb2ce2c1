import type { Engine, SequenceId } from '../engine/engine.ts'

/** Keys and values of one block of positions; never changed. */
export type KvBlock = Float32Array<ArrayBuffer>

/** What a job brings along of its sequence's keys and values, and where it leaves what it adds. */
export interface KvCarry {
  /** Positions of one block. */
  readonly blockTokens: number
  /** The sequence's first blocks; fewer tokens than the prompt has. */
  readonly prefix: readonly KvBlock[]
  /** Given the whole blocks that the job has added behind the prefix, before its last event. */
  readonly keep: (blocks: readonly KvBlock[]) => void
}

/** Prompt tokens whose keys and values a job brings along. */
export function cachedTokensOf(carry: Pick<KvCarry, 'blockTokens' | 'prefix'> | undefined): number {
  return carry === undefined ? 0 : carry.blockTokens * carry.prefix.length
}

/** Caches the known prefix in an empty sequence. @returns its positions */
export async function restoreBlocks(
  engine: Engine,
  sequence: SequenceId,
  carry: KvCarry | undefined,
): Promise<number> {
  for (const block of carry?.prefix ?? []) {
    await engine.importRows(sequence, block, carry!.blockTokens)
  }
  return engine.cachedLength(sequence)
}

/** Hands over the whole blocks that a sequence has cached beyond what it was given. */
export async function keepBlocks(
  engine: Engine,
  sequence: SequenceId,
  carry: KvCarry | undefined,
): Promise<void> {
  if (carry === undefined) return
  const { blockTokens, prefix } = carry
  const whole = Math.floor(engine.cachedLength(sequence) / blockTokens)
  if (whole <= prefix.length) return
  const added: KvBlock[] = []
  for (let block = prefix.length; block < whole; block += 1) {
    added.push(await engine.exportRows(sequence, block * blockTokens, blockTokens))
  }
  carry.keep(added)
}
