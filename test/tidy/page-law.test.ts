import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTest, readSources } from './sources.ts'

const page = readSources('edge/playground/src', ['.ts', '.tsx']).filter((file) => !isTest(file))

/** `file -> specifier` of the imports in some files that a rule does not allow. */
function foreign(files: typeof page, allowed: RegExp): string[] {
  return files.flatMap((file) =>
    [...file.text.matchAll(/^import (type )?.*?from '([^']+)'/gms)]
      // Types leave nothing in the page; the contract's own module would bring its schemas along.
      .filter(([, type, name = '']) => !(type !== undefined && name === '@setblock/shared'))
      .map(([, , name = '']) => name)
      .filter((name) => !allowed.test(name))
      .map((name) => `${file.path} -> ${name}`),
  )
}

test('the page is made of itself, preact and a parser of event streams', () => {
  assert.ok(page.length > 20)
  assert.deepEqual(
    foreign(page, /^(?:\.{1,2}\/|preact(?:\/hooks)?$|eventsource-parser\/stream$)/),
    [],
  )
})

test('what the page shows is decided by functions that know no browser and no component', () => {
  const state = page.filter((file) => file.path.startsWith('edge/playground/src/state/'))
  assert.ok(state.length > 5)
  assert.deepEqual(foreign(state, /^\.\//), [])
  const globals =
    /\b(?:document|window|sessionStorage|fetch|performance|requestAnimationFrame|Date\.now)\b(?!')/
  const impure = state.filter(({ text }) =>
    globals.test(text.replaceAll(/`[^`]*`|\/\*[\s\S]*?\*\/|\/\/.*/g, '')),
  )
  assert.deepEqual(
    impure.map((file) => file.path),
    [],
  )
})
