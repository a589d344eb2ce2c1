import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const fixture = fileURLToPath(
  new URL('../../gpu-worker/test-fixtures/hf-llama2-sharded', import.meta.url),
)
const command = fileURLToPath(new URL('setblock.cjs', import.meta.url))

let folder: string
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'setblock-cli-'))
  await cp(fixture, path.join(folder, 'in'), { recursive: true })
  await rm(path.join(folder, 'in', 'setblock.source.json'))
  const vocab = Object.fromEntries(Array.from({ length: 100 }, (_, id) => [`t${id}`, id]))
  await writeFile(path.join(folder, 'in', 'tokenizer.json'), JSON.stringify({ model: { vocab } }))
  await writeFile(path.join(folder, 'in', 'tokenizer_config.json'), '{}')
})
after(() => rm(folder, { recursive: true }))

const build = (...args: string[]) =>
  spawnSync(process.execPath, [command, 'build', ...args], { encoding: 'utf8', cwd: folder })

test('builds a sharded checkpoint for two targets, and says what the added mask is good for', async () => {
  const targets = ['--target', 'cpu-int8', '--target', 'fp32']
  const { status, stdout, stderr } = build('in', '--out', 'out', '--add-mask-token', ...targets)
  assert.equal(status, 0, stderr)
  assert.match(
    stdout,
    /^cpu-int8: graph\.int8\.onnx, [\d.]+ MB, \d+ nodes\nfp32: graph\.fp32\.onnx, .*\nout in out: context 96, mask token 100, built in [\d.]+ s\n$/,
  )
  assert.match(
    stderr,
    /^note: the mask token was added as id 100 and never trained: only mode ntp/m,
  )
  assert.match(stderr, /^note: tokenizer\.json pre_tokenizer is not ByteLevel: /m)
  assert.match(stderr, /^checkpoint: 100 % of /m)
  assert.ok((await readdir(path.join(folder, 'out'))).includes('setblock.json'))
})

test('says in one line why not', () => {
  const refused = build('in', '--out', 'nowhere')
  assert.equal(refused.status, 1)
  assert.equal(refused.stdout, '')
  assert.match(refused.stderr, /^setblock: tokenizer\.json: has no mask token: .*\n$/)
  assert.match(build('missing').stderr, /^setblock: config\.json: cannot be read from missing/)
})
