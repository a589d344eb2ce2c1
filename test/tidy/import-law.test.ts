import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { isTest, readSources, type SourceFile } from './sources.ts'

const WORKSPACES = ['shared', 'edge', 'gpu-worker', 'client'] as const
type Workspace = (typeof WORKSPACES)[number]

/** Which of our packages each workspace may import; everything between them goes by these names. */
const MAY_IMPORT: Record<Workspace, readonly string[]> = {
  shared: [],
  edge: ['@setblock/shared'],
  'gpu-worker': ['@setblock/shared'],
  client: [],
}

/** Specifiers of all static and dynamic imports and re-exports. */
function importsOf({ text }: SourceFile): string[] {
  const statement = /\b(?:from|import)\s*\(?\s*['"]([^'"\n]+)['"]/g
  return [...text.matchAll(statement)].map((match) => match[1] ?? '')
}

const sources = Object.fromEntries(
  WORKSPACES.map((name) => [name, readSources(`${name}/src`, ['.ts'])]),
) as Record<Workspace, SourceFile[]>
const isRelative = (specifier: string): boolean => specifier.startsWith('.')

/** `file -> specifier` of each import that a rule forbids; empty when the rule is kept. */
function violations(
  files: SourceFile[],
  forbids: (specifier: string, file: SourceFile) => boolean,
) {
  return files.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => forbids(specifier, file))
      .map((specifier) => `${file.path} -> ${specifier}`),
  )
}

test('the scan sees imports of every form', () => {
  const text = `import a from 'a'\nimport 'b'\nexport * from "c"\nawait import('d')\nimport {\n e } from 'e'`
  assert.deepEqual(importsOf({ path: '', text }), ['a', 'b', 'c', 'd', 'e'])
  assert.ok(WORKSPACES.every((name) => sources[name].some((file) => importsOf(file).length > 0)))
})

for (const name of WORKSPACES) {
  test(`${name} imports of ours only: ${MAY_IMPORT[name].join(', ') || 'nothing'}`, () => {
    const allowed = MAY_IMPORT[name]
    const ours = (specifier: string): boolean =>
      specifier.startsWith('@setblock/') && !allowed.includes(specifier)
    assert.deepEqual(violations(sources[name], ours), [])
  })

  test(`${name} reaches outside its folder by package name only`, () => {
    const leaves = (specifier: string, file: SourceFile): boolean => {
      if (!isRelative(specifier)) return specifier.startsWith('/')
      const target = path.posix.join(path.posix.dirname(file.path), specifier)
      return !target.startsWith(`${name}/`)
    }
    const files = sources[name].filter((file) => !isTest(file))
    assert.deepEqual(violations(files, leaves), [])
    // Tests may lean on the repository's test support, but no more than the code on the other side.
    const reaches = (specifier: string, file: SourceFile): boolean =>
      leaves(specifier, file) && !specifier.includes('/test/support/')
    assert.deepEqual(violations(sources[name].filter(isTest), reaches), [])
  })
}

test('decoding is pure: it imports itself and the contract', () => {
  const files = sources['gpu-worker'].filter(
    (file) => file.path.startsWith('gpu-worker/src/decoding/') && !isTest(file),
  )
  assert.ok(files.length > 0)
  const impure = (specifier: string): boolean =>
    isRelative(specifier) ? specifier.startsWith('..') : specifier !== '@setblock/shared'
  assert.deepEqual(violations(files, impure), [])
})

test('one file of the worker knows ONNX Runtime', () => {
  const files = WORKSPACES.flatMap((name) => sources[name]).filter((file) => !isTest(file))
  const found = violations(files, (specifier) => specifier.startsWith('onnxruntime'))
  assert.equal(found.length, 1, found.join('\n'))
})

test('the edge knows its platform in its two roots only, and in what is a part of one', () => {
  const roots = ['edge/src/node.ts', 'edge/src/node-listen.ts', 'edge/src/worker.ts']
  const files = sources.edge.filter((file) => !isTest(file) && !roots.includes(file.path))
  const platform = /^(?:node:|cloudflare:|undici$|@hono\/node-server)/
  assert.deepEqual(
    violations(files, (specifier) => platform.test(specifier)),
    [],
  )
  assert.deepEqual(
    violations([...files, ...sources.edge.filter(({ path }) => path === roots[2])], (specifier) =>
      specifier.endsWith('/node-listen.ts'),
    ),
    [],
  )
})

test('the contract needs the schema library and nothing else', () => {
  const files = sources.shared.filter((file) => !isTest(file))
  const foreign = (specifier: string): boolean => !isRelative(specifier) && specifier !== 'zod'
  assert.deepEqual(violations(files, foreign), [])
})

test('the client needs nothing, except React where it is a React hook', () => {
  const files = sources.client.filter((file) => !isTest(file))
  const foreign = (specifier: string, file: SourceFile): boolean =>
    !isRelative(specifier) && !(specifier === 'react' && file.path.startsWith('client/src/react/'))
  assert.deepEqual(
    violations(files, foreign).filter((found) => !found.startsWith('client/src/testing/')),
    [],
  )
})
