import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before } from 'node:test'
import OpenAI from 'openai'
import type { EdgeRuntime } from '../../scripts/start/options.ts'
import { repository } from '../../scripts/start/services.ts'
import { startStack, type Stack } from '../../scripts/start/stack.ts'

export const MODEL = 'setblock-nano'

/** The real worker, the real edge and the bundled model, as `npm start` runs them, for the tests of one file. */
export interface StackUnderTest {
  /** POST of a raw body, or of a value as JSON. */
  post(route: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  get(route: string): Promise<Response>
  /** The stock client, without retries: a test must see what the first answer was. */
  openai(): OpenAI
  readonly stack: Stack
}

/** Starts a stack before the first test of the file and stops it after the last. */
export function stackUnderTest(edge: EdgeRuntime): StackUnderTest {
  let stack: Stack
  let stateFolder: string

  before(async () => {
    stateFolder = await mkdtemp(path.join(tmpdir(), 'setblock-e2e-'))
    const options = {
      edge,
      host: '127.0.0.1',
      port: 0,
      workerPort: 0,
      modelFolders: [path.join(repository, 'models', MODEL)],
      stateFolder,
    }
    stack = await startStack(options, new AbortController().signal)
  })

  after(async () => {
    await stack?.stop()
    await rm(stateFolder, { recursive: true, force: true })
  })

  const authorization = (): Record<string, string> => ({ authorization: `Bearer ${stack.demoKey}` })
  return {
    get stack() {
      return stack
    },
    openai: () =>
      new OpenAI({ apiKey: stack.demoKey, baseURL: `${stack.edgeUrl}/v1`, maxRetries: 0 }),
    get: (route) => fetch(`${stack.edgeUrl}${route}`, { headers: authorization() }),
    post: (route, body, headers = {}) =>
      fetch(`${stack.edgeUrl}${route}`, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...authorization(), ...headers },
      }),
  }
}
