import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { buildTinyModel, type TinyModel } from './testing/tiny-model.ts'

const main = path.join(import.meta.dirname, 'main.ts')
const PATIENCE_MS = 60_000

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs the worker's program to its end; one that starts to serve does not end, and is killed. */
function run(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const secret = 'a secret of the test, long enough to sign'
  const options = {
    env: { ...process.env, SETBLOCK_JOB_SECRET: secret, SETBLOCK_WORKER_PORT: '0', ...env },
    timeout: PATIENCE_MS,
  }
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

describe(
  'a worker that cannot serve says why in one line and does not start',
  { concurrency: 2 },
  () => {
    let model: TinyModel
    let root: string
    before(async () => {
      model = await buildTinyModel()
      root = await mkdtemp(path.join(tmpdir(), 'setblock-main-'))
    })
    after(async () => {
      await model.remove()
      await rm(root, { recursive: true })
    })

    const refuses = async (
      args: readonly string[],
      line: RegExp,
      env: Record<string, string> = {},
    ): Promise<void> => {
      const { code, out, err } = await run(args, env)
      assert.deepEqual([code, out], [1, ''])
      assert.match(err, line)
      assert.equal(err.trimEnd().split('\n').length, 1)
    }

    test('an unknown device', () =>
      refuses(['--device', 'toaster'], /^gpu-worker: --device: must be one of auto, cpu, /))

    test('a folder that is not there', () =>
      refuses(
        ['--model', path.join(root, 'nowhere')],
        /setblock\.json: cannot be read from .*nowhere/,
      ))

    test('a form that the model does not have', async () => {
      const args = ['--model', model.folder, '--device', 'cpu', '--precision', 'fp32']
      await refuses(args, /has no cpu fp32 graph \(has: cpu int8\)$/m)
    })

    test('a graph that is not the one that the manifest describes', async () => {
      const folder = path.join(root, 'changed')
      await cp(model.folder, folder, { recursive: true })
      const file = path.join(folder, 'graph.int8.onnx')
      const graph = await readFile(file)
      graph[graph.length >> 1]! ^= 1
      await writeFile(file, graph)
      await refuses(['--model', folder], /graph\.int8\.onnx: has sha256 .*, the manifest says /)
    })

    test('a port in use, once the model runs', async () => {
      const other = createServer().listen(0, '127.0.0.1')
      await once(other, 'listening')
      const { port } = other.address() as AddressInfo
      const line =
        /SETBLOCK_WORKER_PORT: cannot listen on port \d+ of 127\.0\.0\.1: the port is in use$/m
      await refuses(['--model', model.folder], line, { SETBLOCK_WORKER_PORT: String(port) })
      other.close()
    })

    test('a place for sessions that nothing can be kept in', async () => {
      const file = path.join(model.folder, 'setblock.json')
      for (const folder of [file, path.join(file, 'below')]) {
        const line = new RegExp(`SETBLOCK_SESSIONS: cannot keep sessions in ${folder}: E\\w+:`)
        await refuses(['--model', model.folder], line, { SETBLOCK_SESSIONS: folder })
      }
    })

    test('a bucket that does not answer', () =>
      refuses(
        ['--model', model.folder],
        /^gpu-worker: SETBLOCK_SESSIONS_BUCKET: cannot list the sessions: ./,
        {
          SETBLOCK_SESSIONS_BUCKET: 's3://sessions/all',
          SETBLOCK_S3_ENDPOINT: 'http://127.0.0.1:1',
          AWS_REGION: 'auto',
          AWS_ACCESS_KEY_ID: 'nobody',
          AWS_SECRET_ACCESS_KEY: 'nothing',
        },
      ))

    test('more than the memory holds', () =>
      refuses(
        ['--model', model.folder],
        /memory: golden-llama needs \d+ MiB of weights and \d+ MiB for one sequence: /,
        { SETBLOCK_KV_BYTES_MAX: '1000' },
      ))
  },
)

test('--help tells the options and ends well', async () => {
  const { code, out, err } = await run(['--help'])
  assert.deepEqual([code, err], [0, ''])
  for (const option of ['--model', '--device', '--precision', '--memory-mb']) {
    assert.ok(out.includes(option))
  }
})
