import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Job, JobEvent } from '@setblock/shared'
import {
  JOB_SECRET,
  startFakeWorker,
  type JobAnswer,
} from '../../edge/src/test-support/fake-worker.ts'
import { repository } from '../../scripts/start/services.ts'
import { bundledModel } from '../eval/provenance.ts'
import { peakMemoryMb } from './memory.ts'
import { isUnbroken, readStream } from './read-stream.ts'
import type { Seen } from './read-stream.ts'

/** Tokens of one stream: with their log probabilities more than connections and edge hold. */
const TOKENS = 6000
const CONTEXT_LENGTH = 20_000
const EVENTS_PER_WRITE = 50
/** After which a stream counts as not cut. */
const PATIENCE_MS = 120_000

export interface StuckResult {
  readonly streams: number
  /** Streams that were cut by exactly one `reader_too_slow`, as their last event. */
  readonly cut: number
  /** Streams with an event lost, repeated or out of order before that. */
  readonly broken: number
  /** Largest memory of the edge's process; null where it cannot be read. */
  readonly peakRssMb: number | null
  /** What the streams would have come to without a bound. */
  readonly offeredMb: number
}

/**
 * Opens `count` streams whose readers stop after the first event until the edge has given their
 * jobs up. A worker made of a script sends far more than connections and edge hold together. The
 * edge is a process of its own.
 */
export async function stuckReaders(folder: string, count: number): Promise<StuckResult> {
  const modelFolder = await copyModel(folder)
  const over = Array.from({ length: count }, () => Promise.withResolvers<void>())
  const worker = await startFakeWorker({
    script: async (job, answer) => {
      await writeMuch(job, answer)
      over[job.sampling.seed]?.resolve()
    },
  })
  const edge = await startEdge({ folder, modelFolder, workerUrl: worker.url })
  try {
    const key = await createKey(edge.url)
    const seen = await Promise.all(
      over.map(({ promise }, seed) =>
        readStream({
          url: `${edge.url}/v1/chat/completions`,
          key,
          body: {
            model: 'setblock-nano',
            messages: [{ role: 'user', content: 'hi' }],
            stream: true,
            seed,
            logprobs: true,
            top_logprobs: 20,
            max_tokens: TOKENS,
          },
          rest: { afterEvents: 1, over: () => promise },
        }),
      ),
    )
    const bytesPerEvent = sum(seen, ({ bytes }) => bytes) / sum(seen, ({ data }) => data.length)
    return {
      streams: count,
      cut: seen.filter(isCut).length,
      broken: seen.filter((each) => !isUnbroken(each)).length,
      peakRssMb: peakMemoryMb(edge.pid),
      offeredMb: Math.round((count * TOKENS * bytesPerEvent) / 2 ** 20),
    }
  } finally {
    await edge.stop()
    await worker.close()
    await rm(modelFolder, { recursive: true })
  }
}

const sum = (seen: readonly Seen[], count: (each: Seen) => number): number =>
  seen.reduce((total, each) => total + count(each), 0)

function isCut({ data }: Seen): boolean {
  const errors = data.filter((each) => each.includes('"error"'))
  return (
    errors.length === 1 &&
    data.at(-1) === errors[0] &&
    errors[0]?.includes('reader_too_slow') === true
  )
}

const NO_USAGE = {
  cachedTokens: 0,
  forwardPasses: { prefill: 0, decode: TOKENS },
  tokensPerForward: 1,
  queueMs: 0,
  prefillMs: 0,
  decodeMs: 0,
  effectiveGamma: null,
}

/** One token an event, each with twenty alternatives, until the edge leaves or all are sent. */
async function writeMuch(job: Job, answer: JobAnswer): Promise<void> {
  const state = { left: false }
  void answer.left.then(() => (state.left = true))
  const promptTokens = job.tokenIds.length
  answer.send({ type: 'start', promptTokens, cachedTokens: 0, queueMs: 0 })
  const top = Array.from({ length: 20 }, (_, index) => ({ tokenId: 300 + index, logprob: -index }))
  for (let sent = 0; sent < TOKENS && !state.left; sent += EVENTS_PER_WRITE) {
    const events = Array.from({ length: EVENTS_PER_WRITE }, (_, index): JobEvent => ({
      type: 'reveal',
      block: sent + index,
      step: sent + index,
      positions: [promptTokens + sent + index],
      tokenIds: [300],
      logprobs: [{ logprob: 0, top }],
    }))
    answer.send(...events)
    await sleep(1)
  }
  // What was sent is still on its way through the edge, which may leave at any point of it.
  await Promise.race([answer.left, sleep(PATIENCE_MS, undefined, { ref: false })])
  const usage = { ...NO_USAGE, promptTokens, completionTokens: TOKENS }
  if (!state.left) answer.send({ type: 'end', finishReason: 'length', usage })
}

/** The bundled model's manifest and tokenizer, with room for long answers; no weights. */
async function copyModel(folder: string): Promise<string> {
  const target = path.join(folder, 'long-model')
  await mkdir(target)
  const manifest = JSON.parse(await readFile(path.join(bundledModel, 'setblock.json'), 'utf8')) as {
    contextLength: number
    tokenizer: { file: string; configFile: string }
  }
  for (const file of [manifest.tokenizer.file, manifest.tokenizer.configFile]) {
    await copyFile(path.join(bundledModel, file), path.join(target, file))
  }
  const long = { ...manifest, contextLength: CONTEXT_LENGTH }
  await writeFile(path.join(target, 'setblock.json'), JSON.stringify(long))
  return target
}

const ADMIN_KEY = 'the-operator-secret-of-this-run-only'

async function startEdge(options: { folder: string; modelFolder: string; workerUrl: string }) {
  const { folder, modelFolder, workerUrl } = options
  const child = spawn(process.execPath, [path.join(repository, 'edge/src/node.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      NODE_OPTIONS: '--disable-warning=ExperimentalWarning',
      GPU_WORKERS: workerUrl,
      SETBLOCK_JOB_SECRET: JOB_SECRET,
      SETBLOCK_ADMIN_KEY: ADMIN_KEY,
      SETBLOCK_DATABASE: path.join(folder, 'stuck.sqlite'),
      SETBLOCK_MODEL: modelFolder,
      SETBLOCK_EDGE_PORT: '0',
    },
  })
  const lines = createInterface(child.stdout)
  const [line] = (await once(lines, 'line')) as [string]
  lines.on('line', () => undefined)
  const { url } = JSON.parse(line) as { url: string }
  return {
    url,
    pid: child.pid as number,
    async stop() {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
    },
  }
}

async function createKey(edgeUrl: string): Promise<string> {
  const answer = await fetch(`${edgeUrl}/v1/admin/keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ tenant: 'streams', name: 'streams', tokens_per_minute: 100_000_000 }),
  })
  return ((await answer.json()) as { key: string }).key
}
