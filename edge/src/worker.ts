import * as z from 'zod'
import { createApp } from './app.ts'
import { assembleDeps } from './assemble.ts'
import { readEdgeConfig } from './config.ts'
import { edgeLimits } from './limits.ts'
import { createObjectMeter } from './metering/meter-object.ts'
import { createModelSource } from './models/model-source.ts'
import type { ModelSource } from './models/model-source.ts'
import { createD1Database } from './storage/database.ts'
import type { D1Binding } from './storage/database.ts'
import type { ObjectNamespace } from './storage/durable-object.ts'

export { MeterObject } from './metering/meter-object.ts'

/** The bindings and variables of wrangler.toml. */
export interface WorkerEnv {
  ASSETS: { fetch(url: string): Promise<Response> }
  DB: D1Binding
  METERS: ObjectNamespace
  GPU_WORKERS: string
  SETBLOCK_JOB_SECRET: string
  SETBLOCK_ADMIN_KEY: string
  SETBLOCK_CORS_ORIGINS?: string
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
  return createApp(
    assembleDeps({
      models: createAssetModels(env.ASSETS),
      config: readEdgeConfig(env),
      database: createD1Database(env.DB),
      fetch: (url, init) => fetch(url, init),
      createMeter: () => createObjectMeter(env.METERS),
      // oxlint-disable-next-line no-console -- the only log a Worker has
      log: (record) => console.log(JSON.stringify(record)),
      limits: edgeLimits,
    }),
  )
}

// One app for an isolate, so that tokenizers stay loaded between requests. Bindings are the same
// for all requests of an isolate.
let app: ReturnType<typeof createWorkerApp> | undefined

export default {
  fetch(request: Request, env: WorkerEnv, context: ExecutionContext): Response | Promise<Response> {
    app ??= createWorkerApp(env)
    const address = request.headers.get('cf-connecting-ip') ?? undefined
    return app.fetch(request, { address }, context)
  },
}
