import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parseAllDocuments } from 'yaml'
import * as z from 'zod'
import { repository } from '../tidy/sources.ts'

export const KUBERNETES = path.join(repository, 'infra', 'kubernetes')
export const OVERLAYS = ['cpu', 'gpu-1', 'gpu-8'] as const
export type Overlay = (typeof OVERLAYS)[number]

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
})
/** An object as it is sent to a cluster. */
export type ClusterObject = z.infer<typeof objectSchema>

const readObjects = (text: string): ClusterObject[] =>
  parseAllDocuments(text).map((document) => objectSchema.parse(document.toJS()))

/** Every object that is written down whole, patches and lists of files left out. */
export function sourceObjects(): ClusterObject[] {
  return ['base', 'components'].flatMap((folder) =>
    readdirSync(path.join(KUBERNETES, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.name.endsWith('.yaml') && entry.name !== 'kustomization.yaml')
      .flatMap((entry) =>
        readObjects(readFileSync(path.join(entry.parentPath, entry.name), 'utf8')),
      ),
  )
}

export const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0

/** What `kubectl apply -k` would send. @throws Error with what kubectl says */
export function renderOverlay(overlay: Overlay): ClusterObject[] {
  const folder = path.join(KUBERNETES, 'overlays', overlay)
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', folder], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return readObjects(stdout)
}
