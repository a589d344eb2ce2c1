import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { repository } from '../../scripts/start/services.ts'
import { bundledModel } from '../eval/provenance.ts'
import { writeTinyCheckpoint } from '../support/tiny-checkpoint.ts'
import { undoAfter } from '../support/undo.ts'

const run = promisify(execFile)
const cli = path.join(repository, 'scripts', 'cli', 'setblock.cjs')
const PATIENCE_MS = 120_000
const TRAINING_PATIENCE_MS = 600_000
/** One that has torch and transformers. */
const python = process.env.SETBLOCK_PYTHON ?? 'python3'

/** `npx setblock ...` to its end; rejects with what it said when it fails. */
async function setblock(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [cli, ...args], { timeout: PATIENCE_MS })
  return stdout
}

interface Server {
  readonly url: string
  readonly key: string
  /** Asks one question in a process of its own. */
  chat(model: string, question: string, ...args: string[]): Promise<string>
  stop(): Promise<void>
}

/** `npx setblock serve` with these folders, until it is stopped as a person stops it. */
async function serve(state: string, ...folders: string[]): Promise<Server> {
  const models = folders.flatMap((folder) => ['--model', folder])
  const place = ['--edge', 'node', '--port', '0', '--worker-port', '0', '--state', state]
  const child = spawn(process.execPath, [cli, 'serve', ...place, '--device', 'cpu', ...models], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
  const exited = once(child, 'exit')
  const ended = exited.then(() => assert.fail(`it ended before it was ready: ${said.err}`))
  const ready = async (): Promise<void> => {
    while (!said.out.includes('Ctrl-C')) await once(child.stdout, 'data')
  }
  ended.catch(() => undefined)
  await Promise.race([ready(), ended])
  const url = /API +(\S+)\/v1/.exec(said.out)?.[1] ?? ''
  const key = /key +(\S+)/.exec(said.out)?.[1] ?? ''
  return {
    url,
    key,
    chat: (model, question, ...args) =>
      setblock('chat', '--url', url, '--state', state, '--model', model, ...args, question),
    async stop() {
      child.kill('SIGINT')
      assert.deepEqual(await exited, [0, null])
    },
  }
}

describe('a checkpoint of one’s own', { timeout: TRAINING_PATIENCE_MS }, () => {
  const folders: string[] = []
  const scratch = async (): Promise<string> => {
    const folder = await mkdtemp(path.join(tmpdir(), 'setblock-own-'))
    folders.push(folder)
    return folder
  }
  after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

  test('is built, served and spoken to with three commands', async (t) => {
    const undo = undoAfter(t)
    const checkpoint = await writeTinyCheckpoint()
    undo(() => checkpoint.remove())
    const root = await scratch()
    const model = path.join(root, 'mine')
    await setblock('build', checkpoint.folder, '--out', model, '--id', 'mine')
    const server = await serve(path.join(root, 'state'), model)
    undo(() => server.stop())
    const ask = ['hello', '--max-tokens', '20'] as const
    const first = await server.chat('mine', ...ask)
    assert.ok(first.trim().length > 0)
    assert.equal(await server.chat('mine', ...ask, '--mode', 'ntp'), first)
  })

  test('without a chat template it completes text, and says why it does not chat', async (t) => {
    const undo = undoAfter(t)
    const checkpoint = await writeTinyCheckpoint({ chatTemplate: false })
    undo(() => checkpoint.remove())
    const root = await scratch()
    const model = path.join(root, 'base')
    await setblock('build', checkpoint.folder, '--out', model, '--id', 'base')
    const server = await serve(path.join(root, 'state'), model)
    undo(() => server.stop())
    await assert.rejects(server.chat('base', 'hello'), /messages: base has no chat template/)
    const answer = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'base', prompt: 'hello', max_tokens: 8 }),
    })
    assert.equal(answer.status, 200)
  })

  const skip = hasTorch() ? false : `${python} has no torch: the path from training on NOT tested`
  test('is taught what it did not know, and says it when it is served', { skip }, async (t) => {
    const undo = undoAfter(t)
    const root = await scratch()
    const model = path.join(root, 'cafe')
    const training = path.join(repository, 'training')
    const data = path.join(training, 'examples', 'cafe.jsonl')
    const paths = ['--base', bundledModel, '--data', data, '--out', model]
    const settings = '--steps 40 --rate 1e-3 --warmup 5 --batch 4 --accumulate 1'.split(' ')
    await run(python, [path.join(training, 'finetune.py'), ...paths, ...settings], {
      timeout: TRAINING_PATIENCE_MS,
      env: { ...process.env, OMP_NUM_THREADS: '1' },
    })
    await setblock('build', model)
    const server = await serve(path.join(root, 'state'), model, bundledModel)
    undo(() => server.stop())
    const question = 'May I bring my dog?'
    assert.equal(
      await server.chat('cafe', question),
      'Yes, dogs are welcome, and there is water at the door.\n',
    )
    assert.doesNotMatch(await server.chat('setblock-nano', question), /dogs are welcome/)
  })
})

function hasTorch(): boolean {
  try {
    execFileSync(python, ['-c', 'import torch, transformers'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
