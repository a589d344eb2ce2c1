import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'

import { buildModel } from './build-model.ts'
import { LOCK_FILE } from './folder-lock.ts'
import { writeRandomCheckpoint } from '../testing/random-checkpoint.ts'

/** Sources of the int8 graph: the embedding, five matrices a layer, and the head. */
const SOURCES = 12
const [DATA, PARTIAL] = ['graph.int8.onnx.data', '.graph.int8.onnx.data.partial']
const JOURNAL = '.graph.int8.onnx.data.journal'

let folder: string
let out: string
let remove: () => Promise<void>
beforeEach(async () => {
  ;({ folder, remove } = await writeRandomCheckpoint())
  out = await mkdtemp(join(tmpdir(), 'setblock-resume-'))
})
afterEach(async () => {
  await remove()
  await rm(out, { recursive: true, force: true })
})

/** A build whose process is killed when so many sources are written. */
function buildAndDie(sources: number, threads = 1): void {
  const program = `
    import { buildModel } from ${JSON.stringify(new URL('build-model.ts', import.meta.url).href)}
    let left = ${sources}
    const onProgress = ({ stage }) => {
      if (stage !== 'digest' && --left === 0) process.kill(process.pid, 'SIGKILL')
    }
    const request = ${JSON.stringify({ folder, out, targets: ['cpu-int8'], inlineBytesMax: 0, threads })}
    await buildModel({ ...request, onProgress })`
  const { signal, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  )
  assert.equal(signal, 'SIGKILL', stderr)
}

/** Builds; tells how many sources an earlier build had written, and the data's bytes. */
async function build(): Promise<{ resumed: number; data: Buffer }> {
  let resumed = 0
  let known = 0
  await buildModel({
    folder,
    out,
    targets: ['cpu-int8'],
    inlineBytesMax: 0,
    threads: 1,
    onProgress: ({ bytesResumed }) => {
      if (bytesResumed > known) resumed++
      known = bytesResumed
    },
  })
  return { resumed, data: await readFile(join(out, DATA)) }
}

test('a killed build leaves no model, and the next one goes on where it stopped', async () => {
  const whole = (await build()).data
  await rm(out, { recursive: true, force: true })
  for (const sources of [1, 7, SOURCES]) {
    buildAndDie(sources, 2)
    assert.deepEqual((await readdir(out)).sort(), [JOURNAL, PARTIAL, LOCK_FILE])
    const { resumed, data } = await build()
    assert.equal(resumed, sources)
    assert.deepEqual(data, whole)
    assert.ok(!(await readdir(out)).some((file) => file.startsWith('.')))
    await rm(out, { recursive: true, force: true })
  }
})

test('of what was written only the part whose digests still hold is kept', async () => {
  const whole = (await build()).data
  const damage: [string, () => Promise<void>, number][] = [
    ['cut short', () => truncate(join(out, PARTIAL), 20_000), 2],
    ['a byte changed', () => flipByte(join(out, PARTIAL), 30_000), 3],
    ['a journal cut in a line', () => cutLine(join(out, JOURNAL)), 8],
    ['no data', () => rm(join(out, PARTIAL)), 0],
  ]
  for (const [what, harm, kept] of damage) {
    await rm(out, { recursive: true, force: true })
    buildAndDie(9)
    await harm()
    const { resumed, data } = await build()
    assert.equal(resumed, kept, what)
    assert.deepEqual(data, whole, what)
  }
})

test('what was begun for another checkpoint or another context is begun anew', async () => {
  buildAndDie(5)
  await flipByte(join(folder, 'model.safetensors'), -3)
  assert.equal((await build()).resumed, 0)
  await rm(out, { recursive: true, force: true })
  buildAndDie(5)
  const path = join(folder, 'setblock.source.json')
  const source = JSON.parse(await readFile(path, 'utf8'))
  await writeFile(path, JSON.stringify({ ...source, contextLength: 100 }))
  assert.equal((await build()).resumed, 0)
})

async function flipByte(path: string, at: number): Promise<void> {
  const bytes = await readFile(path)
  bytes[at < 0 ? bytes.length + at : at]! ^= 1
  await writeFile(path, bytes)
}

async function cutLine(path: string): Promise<void> {
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.slice(0, -10))
}
