import { performance } from 'node:perf_hooks'

import { assert } from '@setblock/shared'

import type { Engine, SequenceId, SequenceRows } from '../src/engine/engine.ts'

/** A forward to time: so many sequences, so many causal rows of each, all of them read. */
export interface TimedForward {
  readonly streams: number
  readonly rows: number
}

export interface MeasureOptions {
  /** Positions that each sequence has cached. */
  readonly cached: number
  /** Timed forwards of each shape. */
  readonly samples: number
  readonly vocabularySize: number
}

/** Milliseconds. On a busy machine the fastest tenth says more about the engine than the median. */
export interface ForwardTime {
  readonly median: number
  readonly fastestTenth: number
}

/** Rows of one forward that caches what the timed ones need. */
const CHUNK_ROWS = 128

/** Timed forwards of one shape in a turn, after one untimed: decoding repeats a shape, too. */
const BURST = 4

/**
 * Times forwards, ids alone wanted, in the order of `shapes`. The shapes take turns, so that a busy
 * machine slows all of them alike. Opens the sequences it needs and closes them again.
 */
export async function measureForwards(
  engine: Engine,
  shapes: readonly TimedForward[],
  options: MeasureOptions,
): Promise<ForwardTime[]> {
  const streams = Math.max(...shapes.map((shape) => shape.streams))
  const sequences = Array.from({ length: streams }, () => engine.open())
  try {
    for (const sequence of sequences) await cache(engine, sequence, options)
    const batches = shapes.map(({ streams: count, rows }) =>
      sequences.slice(0, count).map((sequence) => rowsOf(sequence, rows, options.vocabularySize)),
    )
    const times = batches.map(() => [] as number[])
    for (let turn = 0; turn < Math.ceil(options.samples / BURST); turn++) {
      for (const [index, batch] of batches.entries()) {
        await engine.forward(batch)
        for (let i = 0; i < BURST; i++) times[index]!.push(await timed(engine, batch))
      }
    }
    return times.map((samples) => ({
      median: quantile(samples, 0.5),
      fastestTenth: quantile(samples, 0.1),
    }))
  } finally {
    for (const sequence of sequences) engine.close(sequence)
  }
}

async function timed(engine: Engine, batch: readonly SequenceRows[]): Promise<number> {
  const start = performance.now()
  await engine.forward(batch)
  return performance.now() - start
}

async function cache(
  engine: Engine,
  sequence: SequenceId,
  { cached, vocabularySize }: MeasureOptions,
): Promise<void> {
  while (engine.cachedLength(sequence) < cached) {
    const rows = Math.min(CHUNK_ROWS, cached - engine.cachedLength(sequence))
    await engine.forward([{ ...rowsOf(sequence, rows, vocabularySize), readTail: 0 }])
    engine.commit(sequence, rows)
  }
}

function rowsOf(sequence: SequenceId, count: number, vocabularySize: number): SequenceRows {
  const tail = Array.from({ length: count }, (_, i) => (i * 37 + 11) % vocabularySize)
  return { sequence, tail, groups: [], readTail: count, entropies: 'none', top: 'none' }
}

function quantile(samples: readonly number[], share: number): number {
  const ordered = samples.toSorted((a, b) => a - b)
  const value = ordered[Math.floor(ordered.length * share)]
  assert(value !== undefined, 'nothing was timed')
  return value
}
