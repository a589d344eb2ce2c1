import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import path from 'node:path'
import * as z from 'zod'
import type { Contender } from '../contender.ts'

/** A peer that loads longer than this will not come. */
const READY_MS_MAX = 120_000

const readySchema = z.object({ ready: z.record(z.string(), z.unknown()) })
const generationSchema = z.object({
  tokenIds: z.array(z.int()),
  ttftMs: z.number(),
  wallMs: z.number(),
})

export interface PeerProcess extends Contender {
  /** What the peer says of itself. */
  readonly facts: Record<string, unknown>
  close(): Promise<void>
}

export interface PeerCommand {
  readonly name: string
  /** Beside this file. */
  readonly script: 'transformers-js.mjs' | 'node-llama-cpp.mjs'
  readonly args: readonly string[]
}

/** Starts a peer in a process of its own, so that neither's threads and memory are the other's. */
export async function startPeer({ name, script, args }: PeerCommand): Promise<PeerProcess> {
  const command = [path.join(import.meta.dirname, script), ...args]
  const child = spawn(process.execPath, command, { stdio: ['pipe', 'pipe', 'pipe'] })
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = `${complaints}${chunk.toString()}`.slice(-2000)
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const receive = async <T>(schema: z.ZodType<T>): Promise<T> => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error(`${name} ended: ${complaints.trim()}`)
    return schema.parse(JSON.parse(value))
  }
  const timer = setTimeout(() => child.kill(), READY_MS_MAX)
  const { ready } = await receive(readySchema)
  clearTimeout(timer)
  return {
    name,
    facts: ready,
    generate: ({ tokenIds, maxTokens, stopTokenIds }) => {
      child.stdin.write(`${JSON.stringify({ tokenIds, maxTokens, stopTokenIds })}\n`)
      return receive(generationSchema)
    },
    close: () => {
      child.stdin.end()
      return ended
    },
  }
}
