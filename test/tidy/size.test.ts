import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTest, readSources } from './sources.ts'

const SOURCE_LINES_MAX = 300
const TEST_LINES_MAX = 400

/**
 * Files that are longer for a good reason, with the lines they may have. A ratchet: an entry may be
 * lowered or removed, not raised.
 */
const LONGER: Readonly<Record<string, number>> = {}

const files = ['shared', 'edge', 'gpu-worker', 'client', 'scripts', 'test'].flatMap((folder) =>
  readSources(folder, ['.ts', '.tsx', '.cjs', '.css']),
)
const linesOf = (text: string): number => text.trimEnd().split('\n').length

test('files stay small', () => {
  const long = files
    .map((file) => ({
      path: file.path,
      lines: linesOf(file.text),
      max: LONGER[file.path] ?? (isTest(file) ? TEST_LINES_MAX : SOURCE_LINES_MAX),
    }))
    .filter(({ lines, max }) => lines > max)
  assert.deepEqual(long, [])
})

test('the ratchet has no slack', () => {
  for (const [path, max] of Object.entries(LONGER)) {
    const file = files.find((each) => each.path === path)
    assert.ok(file, `${path} is gone: remove it from the ratchet`)
    assert.equal(linesOf(file.text), max, `${path} has become shorter: lower its entry`)
  }
})
