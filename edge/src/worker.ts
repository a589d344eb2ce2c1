import * as z from 'zod'
import { createApp } from './app.ts'
import { createKvKeyStore } from './auth/key-store.ts'
import type { KeyValueReader } from './auth/key-store.ts'
import { readWorkersConfig } from './config.ts'
import { edgeLimits } from './limits.ts'
import { createModelSource } from './models/model-source.ts'
import type { ModelSource } from './models/model-source.ts'
import { platformRandom } from './random.ts'
import { createWorkerClient } from './workers/worker-client.ts'

/** The bindings and variables of wrangler.toml. */
export interface WorkerEnv {
  ASSETS: { fetch(url: string): Promise<Response> }
  KEYS: KeyValueReader
  GPU_WORKERS: string
  SETBLOCK_JOB_SECRET: string
}

interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void
  passThroughOnException(): void
  props: unknown
}

const indexSchema = z.object({ models: z.array(z.string()) })

function createAssetModels(assets: WorkerEnv['ASSETS']): ModelSource {
  async function read(path: string): Promise<Uint8Array<ArrayBuffer>> {
    // The host is a placeholder: the binding looks at the path alone.
    const response = await assets.fetch(`https://assets.invalid/${path}`)
    if (!response.ok) throw new Error(`asset ${path}: status ${response.status}`)
    return new Uint8Array(await response.arrayBuffer())
  }
  return createModelSource({
    folders: async () => {
      const index: unknown = JSON.parse(new TextDecoder().decode(await read('index.json')))
      return indexSchema.parse(index).models
    },
    read: (folder, file) => read(`${folder}/${file}`),
  })
}

function createWorkerApp(env: WorkerEnv) {
  return createApp({
    models: createAssetModels(env.ASSETS),
    keys: createKvKeyStore(env.KEYS),
    workers: createWorkerClient({
      ...readWorkersConfig(env),
      fetch: (url, init) => fetch(url, init),
      clock: Date.now,
      limits: edgeLimits,
    }),
    clock: Date.now,
    random: platformRandom,
    // oxlint-disable-next-line no-console -- the only log a Worker has
    log: (record) => console.log(JSON.stringify(record)),
    limits: edgeLimits,
  })
}

// One app for an isolate, so that tokenizers stay loaded between requests. Bindings are the same
// for all requests of an isolate.
let app: ReturnType<typeof createWorkerApp> | undefined

export default {
  fetch(request: Request, env: WorkerEnv, context: ExecutionContext): Response | Promise<Response> {
    app ??= createWorkerApp(env)
    return app.fetch(request, env, context)
  },
}
