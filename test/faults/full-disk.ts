import { execFileSync } from 'node:child_process'
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Job, JobEvent } from '@setblock/shared'
import { WorkerProcess } from './worker-process.ts'

export interface FullDiskResult {
  readonly turns: number
  readonly acknowledged: number
  /** Turns that were answered with an error because they could not be made durable. */
  readonly refused: number
  /** Acknowledged turns that the next worker does not know. */
  readonly lost: number
}

const TENANT = 'full'

/**
 * A worker over a file system that is full, then read-only, then well again: what it acknowledges is
 * there afterwards. Null where nothing can be mounted.
 */
export async function fullDisk(options: {
  modelFolder: string
  model: string
  folder: string
}): Promise<FullDiskResult | null> {
  const { modelFolder, model, folder } = options
  await mkdir(folder, { recursive: true })
  if (!mount('-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder)) return null
  try {
    const versions = new Map<string, number>()
    let [turns, refused] = [0, 0]
    const take = async (worker: WorkerProcess): Promise<void> => {
      const id = `s${turns % 4}`
      turns += 1
      const last = (await worker.run(jobOf(model, id, turns), TENANT)).at(-1)
      if (last?.type === 'end') versions.set(id, last.session!.version)
      else if (isUnavailable(last)) refused += 1
      else throw new Error(`a turn ended in ${last?.type === 'error' ? last.code : 'nothing'}`)
    }
    const worker = await WorkerProcess.start({ modelFolder, folder })
    for (let index = 0; index < 8; index += 1) await take(worker)
    const ballast = path.join(folder, 'ballast')
    const { bavail, bsize } = await statfs(folder)
    await writeFile(ballast, new Uint8Array(bavail * bsize))
    for (let index = 0; index < 8; index += 1) await take(worker)
    await rm(ballast)
    mount('-o', 'remount,ro', folder)
    for (let index = 0; index < 4; index += 1) await take(worker)
    mount('-o', 'remount,rw', folder)
    for (let index = 0; index < 8; index += 1) await take(worker)
    await worker.kill()
    const lost = await countLost({ modelFolder, folder }, versions)
    const acknowledged = turns - refused
    return { turns, acknowledged, refused, lost }
  } finally {
    execFileSync('umount', [folder])
  }
}

async function countLost(
  options: { modelFolder: string; folder: string },
  versions: ReadonlyMap<string, number>,
): Promise<number> {
  const worker = await WorkerProcess.start(options)
  try {
    let lost = 0
    for (const [id, version] of versions) {
      const { sessions } = await worker.call({ operation: 'get', id }, TENANT)
      if ((sessions[0]?.version ?? 0) < version) lost += 1
    }
    return lost
  } finally {
    await worker.stop()
  }
}

const isUnavailable = (event: JobEvent | undefined): boolean =>
  event?.type === 'error' && event.code === 'session_unavailable'

function mount(...args: string[]): boolean {
  try {
    execFileSync('mount', args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** A turn that fills whole blocks, so that keys and values are written too. */
function jobOf(model: string, session: string, serial: number): Job {
  return {
    id: `full-${serial}`,
    model,
    tokenIds: Array.from({ length: 70 }, (_, index) => 300 + ((serial * 31 + index) % 3000)),
    maxTokens: 8,
    stopTokenIds: [],
    decoding: { mode: 'verified', gamma: 0, blockLength: 6, rule: 'strict' },
    sampling: { temperature: 0, topP: 1, topK: 0, seed: 1 },
    session: { id: session, onDisconnect: 'rollback' },
  }
}
