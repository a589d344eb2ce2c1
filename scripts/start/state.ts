import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** What an instance keeps between runs, so that a key once pasted somewhere goes on working. */
export interface InstanceSecrets {
  /** Signs jobs between edge and worker. */
  readonly jobSecret: string
  /** An API key for trying things out, known to this instance alone. */
  readonly demoKey: string
}

/** Whom the demo key belongs to. */
export const DEMO_OWNER = Object.freeze({ tenant: 'demo', name: 'demo' })

/** Where an instance keeps its things; everything inside is for its owner's eyes only. */
export function statePaths(stateFolder: string) {
  return {
    secrets: path.join(stateFolder, 'secrets.json'),
    /** Variables of the edge on Workers, in .env form. */
    edgeVariables: path.join(stateFolder, 'edge.env'),
    /** Key digests of the edge on Node. */
    keys: path.join(stateFolder, 'keys.json'),
    assets: path.join(stateFolder, 'assets'),
    wrangler: path.join(stateFolder, 'wrangler'),
    logs: path.join(stateFolder, 'logs'),
  }
}

/** The secrets of the last run, or new ones. */
export async function loadSecrets(file: string): Promise<InstanceSecrets> {
  const kept = await readFile(file, 'utf8').then(parseSecrets, () => undefined)
  if (kept !== undefined) return kept
  const secrets = {
    jobSecret: randomBytes(32).toString('hex'),
    demoKey: `sb-demo-${randomBytes(18).toString('base64url')}`,
  }
  await writePrivate(file, `${JSON.stringify(secrets)}\n`)
  return secrets
}

/** Writes a file that only its owner may read, in a folder that only its owner may enter. */
export async function writePrivate(file: string, content: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  await writeFile(file, content, { mode: 0o600 })
}

/** What is stored of a key. */
export function keyDigest(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

function parseSecrets(text: string): InstanceSecrets | undefined {
  try {
    const { jobSecret, demoKey } = JSON.parse(text) as Partial<Record<string, unknown>>
    if (typeof jobSecret === 'string' && typeof demoKey === 'string') return { jobSecret, demoKey }
  } catch {
    // A torn file is as good as none: there is nothing in it that cannot be made again.
  }
  return undefined
}
