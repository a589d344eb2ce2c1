import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { repository } from '../tidy/sources.ts'
import type { ClusterObject } from './kubernetes-objects.ts'

/** Packages with what Kubernetes, KEDA and the Prometheus operator publish of their objects. */
const PACKAGES: Readonly<Record<string, string>> = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
}

function moduleOf({ apiVersion, kind }: ClusterObject): string {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
  return `${PACKAGES[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`
}

interface Model {
  validate(): void
}

/** Checks an object by the JSON schema of its kind. @throws Error naming the field at fault */
export async function validateObject(object: ClusterObject): Promise<void> {
  const loaded = (await import(moduleOf(object))) as Record<
    string,
    new (data: ClusterObject) => Model
  >
  const Kind = loaded[object.kind]
  if (Kind === undefined) throw new Error(`there is no schema of ${object.kind}`)
  new Kind(object).validate()
}

/**
 * The fields that no published type knows, as the TypeScript compiler finds them. The schemas let
 * them pass, as the API server does with a warning, and a misspelt field is then without effect.
 */
export async function findUnknownFields(objects: readonly ClusterObject[]): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'setblock-kubernetes-'))
  try {
    await symlink(path.join(repository, 'node_modules'), path.join(folder, 'node_modules'))
    const lines = objects.map((object, index) => {
      const type = `import('${moduleOf(object)}').I${object.kind}`
      return `export const object${index}: ${type} = ${JSON.stringify(object, null, 1)}`
    })
    await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }')
    await writeFile(path.join(folder, 'objects.ts'), lines.join('\n'))
    const tsc = path.join(repository, 'node_modules', 'typescript', 'bin', 'tsc')
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--skipLibCheck',
      '--types',
      '',
    ]
    const { stdout } = spawnSync(process.execPath, [tsc, ...options, 'objects.ts'], {
      cwd: folder,
      encoding: 'utf8',
    })
    return stdout
  } finally {
    await rm(folder, { recursive: true })
  }
}
