import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

import * as z from 'zod'

import { ModelError } from '../engine/model-error.ts'

export const LOCK_FILE = '.setblock-build.lock'

/** The process that builds into a folder. */
const holderSchema = z.object({
  pid: z.int().positive(),
  host: z.string(),
  /** When it was started: tells it from a later one with its id, as containers give them. */
  startedMs: z.number(),
})
type Holder = z.infer<typeof holderSchema>

/**
 * Keeps other builds out of a folder until the returned function is called. The lock of a process
 * that has ended is taken over.
 *
 * @throws ModelError naming the process that builds into it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, LOCK_FILE)
  let text: string | undefined
  while (!(await claim(path))) {
    text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) continue // given back meanwhile
    const holder = parseHolder(text)
    if (holder === undefined || isAtWork(holder)) throw heldBy(folder, holder)
    await setAside(path, text)
  }
  return () => rm(path, { force: true })
}

const own: Holder = { pid: process.pid, host: hostname(), startedMs: performance.timeOrigin }

/** Linked into its place when it is whole: nobody reads half a lock. */
async function claim(path: string): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`
  try {
    await writeFile(draft, JSON.stringify(own))
    await link(draft, path)
    return true
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return false
    throw new ModelError(LOCK_FILE, 'cannot be written', { cause })
  } finally {
    await rm(draft, { force: true })
  }
}

/** Removes the lock that was read. If another took it over first, that one's is put back. */
async function setAside(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
  } catch {
    return // gone already
  }
  if ((await readFile(aside, 'utf8')) === text) await rm(aside)
  else await rename(aside, path)
}

function parseHolder(text: string): Holder | undefined {
  try {
    return holderSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** A process of another machine counts as running: nobody here can tell. */
function isAtWork({ pid, host, startedMs }: Holder): boolean {
  if (host !== own.host) return true
  if (pid === own.pid) return startedMs === own.startedMs
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function heldBy(folder: string, holder: Holder | undefined): ModelError {
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'an unknown process'
  const problem = `${who} is building into ${folder}; if it is not, delete this file`
  return new ModelError(LOCK_FILE, problem)
}
