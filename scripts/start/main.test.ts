import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import {
  canFindProcesses,
  commandOf,
  findProcesses,
  waitForNoProcess,
} from '../../test/support/processes.ts'

const PATIENCE_MS = 15_000
const main = path.join(import.meta.dirname, 'main.ts')
const folder = await mkdtemp(path.join(tmpdir(), 'setblock-start-'))
after(() => rm(folder, { recursive: true }))

/** `npm start` as a child, marked so that all it starts can be found. */
function start(...args: string[]) {
  const id = randomUUID()
  const state = path.join(folder, id)
  const ports = ['--port=0', '--worker-port=0']
  const child = spawn(process.execPath, [main, ...ports, '--state', state, ...args], {
    env: { ...process.env, SETBLOCK_TEST_MARK: id },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
  const exited = once(child, 'exit') as Promise<[code: number | null, signal: string | null]>
  return { child, said, exited, mark: `SETBLOCK_TEST_MARK=${id}` }
}

async function startAndWait(...args: string[]) {
  const run = start(...args)
  const ready = async (): Promise<void> => {
    while (!run.said.out.includes('Ctrl-C')) await once(run.child.stdout, 'data')
  }
  await Promise.race([
    ready(),
    run.exited.then(() => assert.fail(`exited before it was ready: ${run.said.err}`)),
  ])
  return run
}

/** The line that a person reads, with nothing like a stack trace around it. */
function lastLine(text: string): string {
  assert.doesNotMatch(text, /\n\s+at /)
  return text.trimEnd().split('\n').at(-1) ?? ''
}

for (const edge of ['wrangler', 'node']) {
  test(`on ${edge}: ready, answering with the demo key, and gone after SIGINT`, async () => {
    const { child, said, exited, mark } = await startAndWait('--edge', edge)
    const url = /API +(\S+)/.exec(said.out)?.[1]
    const key = /key +(\S+)/.exec(said.out)?.[1]
    const models = await fetch(`${url}/models`, { headers: { authorization: `Bearer ${key}` } })
    assert.equal(models.status, 200)
    const body = (await models.json()) as { data: { id: string }[] }
    assert.ok(said.out.includes(`"model":"${body.data[0]?.id}"`))

    child.kill('SIGINT')
    assert.deepEqual(await exited, [0, null])
    if (canFindProcesses) assert.deepEqual(await waitForNoProcess(mark, PATIENCE_MS), [])
  })
}

test('SIGTERM while it starts stops it, and leaves nothing', async () => {
  const { child, said, exited, mark } = start()
  while (!said.err.includes('Starting')) await once(child.stderr, 'data')
  child.kill('SIGTERM')
  assert.deepEqual(await exited, [0, null])
  if (canFindProcesses) assert.deepEqual(await waitForNoProcess(mark, PATIENCE_MS), [])
})

test('killed outright, it leaves nothing either', { skip: !canFindProcesses }, async () => {
  const { child, exited, mark } = await startAndWait('--edge', 'node')
  assert.ok(findProcesses(mark).length > 1)
  child.kill('SIGKILL')
  await exited
  assert.deepEqual(await waitForNoProcess(mark, PATIENCE_MS), [])
})

test('it ends when its parent is killed', { skip: !canFindProcesses }, async () => {
  const id = randomUUID()
  const args = [main, '--port=0', '--worker-port=0', '--edge=node', `--state=${folder}/${id}`]
  const source = `require('node:child_process').spawn(process.execPath, ${JSON.stringify(args)}, {stdio: 'inherit'})`
  const parent = spawn(process.execPath, ['-e', source], {
    env: { ...process.env, SETBLOCK_TEST_MARK: id },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let said = ''
  parent.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  while (!said.includes('Ctrl-C')) await once(parent.stdout, 'data')
  parent.kill('SIGKILL')
  assert.deepEqual(await waitForNoProcess(`SETBLOCK_TEST_MARK=${id}`, PATIENCE_MS), [])
})

test('a service that dies takes the other along', { skip: !canFindProcesses }, async () => {
  const { said, exited, mark } = await startAndWait('--edge', 'node')
  const worker = findProcesses(mark).find((id) =>
    commandOf(id)[1]?.endsWith('gpu-worker/src/main.ts'),
  )
  assert.ok(worker)
  process.kill(worker, 'SIGKILL')
  assert.deepEqual(await exited, [1, null])
  assert.match(lastLine(said.err), /^setblock: the worker stopped \(.*\[log: .*worker\.log\]$/)
  assert.deepEqual(await waitForNoProcess(mark, PATIENCE_MS), [])
})

test('a port in use is one clear line', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { said, exited } = start('--port', String(port))
  assert.deepEqual(await exited, [1, null])
  assert.match(lastLine(said.err), new RegExp(`^setblock: port ${port} on 127.0.0.1 is in use`))
})

test('a missing model is one clear line', async () => {
  const { said, exited } = start('--model', path.join(folder, 'nowhere'))
  assert.deepEqual(await exited, [1, null])
  assert.match(lastLine(said.err), /^setblock: there is no model in .*nowhere/)
})

test('a wrong option is one clear line', async () => {
  const { said, exited } = start('--colour')
  assert.deepEqual(await exited, [1, null])
  assert.match(lastLine(said.err), /^setblock: .*--colour/)
})
