import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { repository } from '../../scripts/start/services.ts'

interface LockedPackage {
  readonly version?: string
  readonly integrity?: string
  readonly license?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly link?: boolean
  readonly hasInstallScript?: boolean
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const readJson = (file: string): unknown =>
  JSON.parse(readFileSync(path.join(repository, file), 'utf8'))

const { packages } = readJson('package-lock.json') as { packages: Record<string, LockedPackage> }
const fromRegistry = Object.entries(packages).filter(
  ([place, { link }]) => place.includes('node_modules/') && link !== true,
)
/** What runs in production, and what may be installed with it. */
const shipped = fromRegistry.filter(([, { dev }]) => dev !== true)

/** Licences under which what we ship may be used by everyone without asking. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Unlicense',
])

/** `A OR B` is ours to choose; every part of `A AND B` binds. */
function isAllowed(expression: string): boolean {
  const bare = expression.replaceAll(/[()]/g, '')
  return bare.split(' OR ').some((choice) => choice.split(' AND ').every((one) => ALLOWED.has(one)))
}

test('everything that is shipped has a licence that binds nobody', () => {
  assert.ok(shipped.length > 20, 'the lock file is read wrong')
  const others = shipped.filter(([, { license = '' }]) => !isAllowed(license))
  assert.deepEqual(
    others.map(([place, { license }]) => `${place}: ${license}`),
    [],
  )
  assert.equal(isAllowed('(MIT OR GPL-3.0)'), true)
  assert.equal(isAllowed('MIT AND GPL-3.0'), false)
  assert.equal(isAllowed(''), false)
})

test('the lock file pins every package by the digest of its content', () => {
  const loose = fromRegistry.filter(
    ([, { version, integrity = '' }]) => version === undefined || !integrity.startsWith('sha512-'),
  )
  assert.deepEqual(
    loose.map(([place]) => place),
    [],
  )
})

test('direct dependencies name one version each', () => {
  const manifests = ['.', 'shared', 'edge', 'gpu-worker', 'client'].map(
    (folder) => readJson(`${folder}/package.json`) as Manifest,
  )
  const wanted = manifests.flatMap(({ dependencies, devDependencies, optionalDependencies }) =>
    Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies }),
  )
  const ranges = wanted.filter(
    ([name, version]) => !name.startsWith('@setblock/') && !/^\d+\.\d+\.\d+[\w.-]*$/.test(version),
  )
  assert.deepEqual(ranges, [])
})

test('no script of a package runs when it is installed', () => {
  const settings = readFileSync(path.join(repository, '.npmrc'), 'utf8')
  assert.match(settings, /^ignore-scripts=true$/m)
})
