import type { Decoding, Job, JobEvent, Manifest, Usage } from '@setblock/shared'
import { EngineClient } from '../../gpu-worker/src/engine-thread/engine-client.ts'
import { readConfig } from '../../gpu-worker/src/server/config.ts'
import type { Contender, Generation, Request } from './contender.ts'

export interface OurGeneration extends Generation {
  /** When tokens arrived, by the clock of `performance`, and how many. */
  readonly arrivals: readonly Arrival[]
  readonly blocks: number
  readonly usage: Usage
}

export interface Arrival {
  readonly atMs: number
  readonly tokens: number
}

/** The worker's engine thread, scheduler and all, as its process starts it: only HTTP is left out. */
export interface OurEngine {
  readonly manifest: Manifest
  generate(request: Request, decoding: Decoding): Promise<OurGeneration>
  close(): Promise<void>
}

/** Settings are the worker's defaults, unless threads are given. */
export async function startOurs(
  modelFolder: string,
  options: { threads?: number } = {},
): Promise<OurEngine> {
  const config = readConfig({ SETBLOCK_JOB_SECRET: '-'.repeat(64) })
  const engine = await EngineClient.start({ ...config, device: 'cpu', modelFolder, ...options })
  let jobs = 0
  return {
    manifest: engine.manifest,
    close: () => engine.drain(0),
    generate: (request, decoding) => {
      const job: Job = {
        id: `bench-${jobs++}`,
        model: engine.manifest.id,
        tokenIds: [...request.tokenIds],
        decoding,
        sampling: { temperature: 0, topP: 1, topK: 0, seed: 0 },
        maxTokens: request.maxTokens,
        stopTokenIds: [...request.stopTokenIds],
      }
      return generate(engine, job)
    },
  }
}

/** One setting of an engine as a contender. */
export function contenderOf(
  engine: OurEngine,
  name: string,
  decoding: Decoding,
): Contender<OurGeneration> {
  return { name, generate: (request) => engine.generate(request, decoding) }
}

function generate(engine: EngineClient, job: Job): Promise<OurGeneration> {
  const startedMs = performance.now()
  const arrivals: Arrival[] = []
  const tokens = new Map<number, number>()
  let blocks = 0
  const take = (event: JobEvent & { type: 'reveal' }): void => {
    arrivals.push({ atMs: performance.now(), tokens: event.tokenIds.length })
    blocks = event.block + 1
    for (const [index, position] of event.positions.entries()) {
      tokens.set(position, event.tokenIds[index] as number)
    }
  }
  return new Promise((resolve, reject) => {
    engine.submit(job, (event) => {
      if (event.type === 'reveal') take(event)
      if (event.type === 'error') reject(new Error(`${event.code}: ${event.message}`))
      if (event.type !== 'end') return
      const { promptTokens, completionTokens } = event.usage
      const positions = Array.from({ length: completionTokens }, (_, i) => promptTokens + i)
      resolve({
        tokenIds: positions.map((position) => tokens.get(position) as number),
        ttftMs: (arrivals[0] as Arrival).atMs - startedMs,
        wallMs: performance.now() - startedMs,
        arrivals,
        blocks,
        usage: event.usage,
      })
    })
  })
}

/** Between the arrivals of tokens. */
export function gapsOf({ arrivals }: OurGeneration): number[] {
  return arrivals.slice(1).map(({ atMs }, index) => atMs - (arrivals[index] as Arrival).atMs)
}

/** How much forwards gave, and how wide they were. Of the prompt only the last row counts: it gives the first token. */
export function decodeCounts(generations: readonly OurGeneration[]): DecodeCounts {
  const total = (of: (generation: OurGeneration) => number): number =>
    generations.reduce((all, generation) => all + of(generation), 0)
  const forwards = total(({ usage }) => usage.forwardPasses.decode)
  const rows = total(({ usage }) => (usage.rows?.total ?? Number.NaN) - (usage.promptTokens - 1))
  const tokens = total(({ tokenIds }) => tokenIds.length)
  return { tokensPerForward: tokens / forwards, rowsPerForward: rows / forwards }
}

export interface DecodeCounts {
  readonly tokensPerForward: number
  readonly rowsPerForward: number
}
