import { randomBytes } from 'node:crypto'
import { access, constants, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import * as z from 'zod'
import { StartError } from './start-error.ts'

/** What an instance keeps between runs, so that a key once pasted somewhere goes on working. */
export interface InstanceSecrets {
  /** Signs jobs between edge and worker. */
  readonly jobSecret: string
  /** Opens the admin routes of this instance. */
  readonly adminKey: string
  /** An API key for trying things out, made by the first run; known to this instance alone. */
  readonly demoKey?: string
}

/** Where an instance keeps its things; everything inside is for its owner's eyes only. */
export function statePaths(stateFolder: string) {
  return {
    secrets: path.join(stateFolder, 'secrets.json'),
    /** Variables of the edge on Workers, in .env form. */
    edgeVariables: path.join(stateFolder, 'edge.env'),
    /** Keys and usage of the edge on Node. */
    database: path.join(stateFolder, 'edge.sqlite'),
    assets: path.join(stateFolder, 'assets'),
    wrangler: path.join(stateFolder, 'wrangler'),
    /** The worker's sessions. */
    sessions: path.join(stateFolder, 'sessions'),
    logs: path.join(stateFolder, 'logs'),
  }
}

/** @throws StartError where the folder cannot be made, or nothing written into it */
export async function openState(stateFolder: string): Promise<void> {
  try {
    for (const folder of [stateFolder, statePaths(stateFolder).logs]) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await access(folder, constants.W_OK)
    }
  } catch (error) {
    const { message } = error as Error
    throw new StartError(`cannot write to ${stateFolder}: ${message}; choose a folder with --state`)
  }
}

/** The secrets of the last run, or new ones. */
export async function loadSecrets(file: string): Promise<InstanceSecrets> {
  const kept = await readSecrets(file)
  if (kept !== undefined) return kept
  const secrets = {
    jobSecret: randomBytes(32).toString('hex'),
    adminKey: `sb-admin-${randomBytes(24).toString('base64url')}`,
  }
  await saveSecrets(file, secrets)
  return secrets
}

/** The secrets of an instance that has run; undefined if none has, or what is there is broken. */
export function readSecrets(file: string): Promise<InstanceSecrets | undefined> {
  return readFile(file, 'utf8').then(parseSecrets, () => undefined)
}

export async function saveSecrets(file: string, secrets: InstanceSecrets): Promise<void> {
  await writePrivate(file, `${JSON.stringify(secrets)}\n`)
}

/** Writes a file that only its owner may read, in a folder that only its owner may enter. */
export async function writePrivate(file: string, content: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  await writeFile(file, content, { mode: 0o600 })
}

const secretsSchema = z.object({
  jobSecret: z.string(),
  adminKey: z.string(),
  demoKey: z.string().exactOptional(),
})

function parseSecrets(text: string): InstanceSecrets | undefined {
  try {
    return secretsSchema.safeParse(JSON.parse(text)).data
  } catch {
    // A torn file is as good as none: there is nothing in it that cannot be made again.
    return undefined
  }
}
