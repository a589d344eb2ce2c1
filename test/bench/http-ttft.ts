import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startStack, type Stack } from '../../scripts/start/stack.ts'
import { median } from './statistics.ts'
import type { TaskRequest } from './workload.ts'

/**
 * Median time to first text as a client sees it: a streamed chat completion through the edge (on Node) and the worker,
 * both in processes of their own and warm, from the request to the first piece of text.
 */
export async function measureHttpTtft(
  modelFolder: string,
  requests: readonly TaskRequest[],
): Promise<number> {
  const stateFolder = await mkdtemp(path.join(tmpdir(), 'setblock-bench-'))
  const place = { edge: 'node', host: '127.0.0.1', port: 0, workerPort: 0 } as const
  const options = { ...place, modelFolders: [modelFolder], stateFolder }
  const stack = await startStack(options, new AbortController().signal)
  try {
    // A server that has just started runs code that is not compiled yet.
    for (const request of requests) await firstTextMs(stack, request)
    const times: number[] = []
    for (const request of requests) times.push(await firstTextMs(stack, request))
    return median(times)
  } finally {
    await stack.stop()
    await rm(stateFolder, { recursive: true, force: true })
  }
}

async function firstTextMs(stack: Stack, { prompt, maxTokens }: TaskRequest): Promise<number> {
  const startedMs = performance.now()
  const response = await fetch(`${stack.edgeUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${stack.demoKey}` },
    body: JSON.stringify({
      model: stack.model.id,
      stream: true,
      max_tokens: maxTokens,
      messages: [{ role: 'user', content: prompt }],
    }),
  })
  if (!response.ok || response.body === null) throw new Error(`the edge said ${response.status}`)
  let text = ''
  let firstMs: number | undefined
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (firstMs === undefined && /"content":"[^"]/.test(text)) firstMs = performance.now()
  }
  if (firstMs === undefined) throw new Error('the stream ended without text')
  return firstMs - startedMs
}
