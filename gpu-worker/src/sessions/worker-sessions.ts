import { hkdfSync } from 'node:crypto'
import { limits } from '@setblock/shared'
import { FolderStore } from './folder-store.ts'
import { KvBlocks } from './kv-blocks.ts'
import { MemoryStore } from './memory-store.ts'
import { S3Store, type S3StoreOptions } from './s3-store.ts'
import { SessionJobs } from './session-jobs.ts'
import { SessionService } from './session-service.ts'
import { SessionStates } from './session-states.ts'
import { TieredStore } from './tiered-store.ts'

export interface WorkerSessionsOptions {
  /** Where sessions outlive the process; without it and a bucket they live as long as the worker. */
  readonly folder?: string | undefined
  /** A bucket that several workers share: the truth is there then, and the folder is a cache of it. */
  readonly bucket?: S3StoreOptions | undefined
  /** Host memory for keys and values between turns, bytes. */
  readonly memoryBytesMax: number
  /** What keys and values in the folder may take, bytes. */
  readonly storeBytesMax: number
  /** Encrypts what is stored, 32 bytes. */
  readonly masterKey?: Uint8Array | undefined
  /** The deployment's secret; what is derived from it salts the keys of cached blocks. */
  readonly secret: string
}

/** How often sessions that nobody can continue any more are looked for. */
const SWEEP_MS = 3_600_000

/** The sessions of a worker, of all its models: what they are, and the jobs that continue them. */
export interface WorkerSessions {
  readonly service: SessionService
  readonly jobs: SessionJobs
  readonly blocks: KvBlocks
  /** Resolves when all that was promised to be stored is stored. */
  flush(): Promise<void>
}

export async function openWorkerSessions(options: WorkerSessionsOptions): Promise<WorkerSessions> {
  const { folder, masterKey, memoryBytesMax, storeBytesMax } = options
  const folderStore = folder === undefined ? undefined : await openFolder(folder)
  const far = options.bucket && new S3Store(options.bucket)
  const states = new SessionStates({
    store: far ?? folderStore ?? new MemoryStore(),
    masterKey,
  })
  const service = new SessionService({ states, now: steadyNow })
  const blocks = new KvBlocks({
    memoryBytesMax,
    local: folderStore && { store: folderStore, bytesMax: storeBytesMax },
    // Without either the memory tier is all there is to be had.
    store: far && folderStore ? new TieredStore(folderStore, far) : (far ?? folderStore),
    masterKey,
    secret: new Uint8Array(hkdfSync('sha256', options.secret, '', 'setblock-kv-salt-v1', 32)),
  })
  const jobs = new SessionJobs({ sessions: service, blocks })
  const truth = options.bucket === undefined ? 'SETBLOCK_SESSIONS' : 'SETBLOCK_SESSIONS_BUCKET'
  await states.sweep(limits.sessionTtlMsMax).catch(refuseTo(truth, 'list the sessions'))
  await blocks.sweep()
  const sweeping = setInterval(() => {
    void states.sweep(limits.sessionTtlMsMax).catch(() => undefined)
  }, SWEEP_MS)
  sweeping.unref()
  const flush = async (): Promise<void> => {
    await jobs.settled()
    await Promise.all([service.flush(), blocks.flush()])
  }
  return { service, jobs, blocks, flush }
}

/** @throws Error that names the variable when nothing can be kept in the folder */
async function openFolder(folder: string): Promise<FolderStore> {
  const store = new FolderStore(folder)
  const refuse = refuseTo('SETBLOCK_SESSIONS', `keep sessions in ${folder}`)
  await store.tryOut().catch(refuse)
  await store.removePartials().catch(refuse)
  return store
}

/** Says which variable chose a place that does not serve. */
function refuseTo(variable: string, what: string) {
  return (cause: Error): never => {
    throw new Error(`${variable}: cannot ${what}: ${cause.message}`, { cause })
  }
}

/** Unix time that goes on evenly, whatever happens to the system's clock: no session expires in a jump. */
function steadyNow(): number {
  return performance.timeOrigin + performance.now()
}
