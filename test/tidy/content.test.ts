import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { isTest, readSources, repository, type SourceFile } from './sources.ts'

const TEXT = ['.ts', '.cjs', '.mjs', '.json', '.toml', '.yaml', '.yml', '.md', '.py', '.sh']
const everything = readSources('.', [...TEXT, 'Dockerfile', '.example', '.npmrc', '.gitignore'])

function linesWith(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap((file) =>
    file.text
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${file.path}:${index + 1}`] : [])),
  )
}

test('no file names a place on somebody’s machine', () => {
  const homes = ['home', 'root', 'Users', 'work', 'private'].join('|')
  const place = new RegExp(`(?:^|[\\s"'\`(=:])/(?:${homes})/[\\w.]`)
  assert.match(`"${['', 'home', 'somebody'].join('/')}"`, place)
  assert.deepEqual(linesWith(everything, place), [])
})

test('the lock file leaves the choice of registry to whoever installs', () => {
  const lock = JSON.parse(readFileSync(path.join(repository, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { resolved?: string; link?: boolean }>
  }
  const resolved = Object.entries(lock.packages).filter(
    ([, entry]) => entry.resolved !== undefined && entry.link !== true,
  )
  assert.deepEqual(resolved, [])
})

test('the programs write no console lines outside their log', () => {
  const files = ['shared/src', 'edge/src', 'gpu-worker/src', 'client/src'].flatMap((folder) =>
    readSources(folder, ['.ts']),
  )
  const found = linesWith(
    files.filter((file) => !isTest(file)),
    /\bconsole\./,
  )
  // A Worker has no other log than this one line.
  assert.deepEqual(
    found.filter((place) => !place.startsWith('edge/src/worker.ts:')),
    [],
  )
  assert.ok(found.length <= 1)
})

test('links between documents lead somewhere', () => {
  const broken = everything
    .filter((file) => file.path.endsWith('.md'))
    .flatMap((file) =>
      [...file.text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1] ?? '')
        .filter((link) => !/^[a-z]+:/.test(link))
        .filter((link) => !existsSync(path.join(repository, path.dirname(file.path), link)))
        .map((link) => `${file.path} -> ${link}`),
    )
  assert.deepEqual(broken, [])
})

test('npm scripts name files that exist', () => {
  const { scripts } = JSON.parse(readFileSync(path.join(repository, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const files = Object.values(scripts).flatMap(
    (script) => script.match(/[\w./-]+\.(?:ts|cjs)\b/g) ?? [],
  )
  const named = files.filter((file) => !file.includes('*') && !file.startsWith('.test'))
  assert.ok(named.length > 3)
  for (const file of named) assert.ok(existsSync(path.join(repository, file)), file)
})
