import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { ApiError } from '@setblock/shared'
import { startNodeEdge } from '../../edge/src/node.ts'
import { closedUrl, JOB_SECRET, startFakeWorker } from '../../edge/src/test-support/fake-worker.ts'
import type { FakeWorkerOptions } from '../../edge/src/test-support/fake-worker.ts'
import { ADMIN_KEY, API_KEY, seedTestKey } from '../../edge/src/test-support/harness.ts'
import { revealsOf, startOf, write } from '../../edge/src/test-support/scripts.ts'
import { TINY_FOLDER } from '../../edge/src/test-support/tiny-model.ts'
import { buildPage } from '../../scripts/build-page.ts'
import { ask, browserUnderTest, cellsOf, noChromium } from './browser-under-test.ts'

describe('what goes wrong is said in words', { skip: noChromium, timeout: 120_000 }, () => {
  const browser = browserUnderTest()
  let folder: string
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'setblock-browser-'))
    await seedTestKey(path.join(folder, 'edge.sqlite'))
    await buildPage(path.join(folder, 'page'))
  })
  after(() => rm(folder, { recursive: true }))

  /** A real edge that serves the page, in front of the worker at an address. */
  async function startEdge(t: TestContext, workerUrl: string): Promise<string> {
    const edge = await startNodeEdge({
      env: {
        GPU_WORKERS: workerUrl,
        SETBLOCK_JOB_SECRET: JOB_SECRET,
        SETBLOCK_ADMIN_KEY: ADMIN_KEY,
        SETBLOCK_DATABASE: path.join(folder, 'edge.sqlite'),
        SETBLOCK_PLAYGROUND: path.join(folder, 'page'),
        SETBLOCK_MODEL: TINY_FOLDER,
        SETBLOCK_EDGE_PORT: '0',
      },
      log: () => undefined,
    })
    t.after(() => edge.close())
    return edge.url
  }

  async function startEdgeOn(t: TestContext, options: FakeWorkerOptions): Promise<string> {
    const worker = await startFakeWorker(options)
    t.after(() => worker.close())
    return startEdge(t, worker.url)
  }

  test('a wrong key: the form says so and asks again, and a right one goes on', async (t) => {
    const url = await startEdgeOn(t, { script: write('ab') })
    await browser.visit(`${url}/#key=sb-wrong`, async ({ page }) => {
      await page.getByRole('alert').getByText('This key was not accepted').waitFor()
      assert.equal(await page.evaluate<number>('sessionStorage.length'), 0)
      await page.getByRole('textbox', { name: 'API key' }).fill(API_KEY)
      await page.getByRole('button', { name: 'Continue' }).click()
      await ask(page, 'hello')
      assert.equal((await cellsOf(page)).join(''), 'ab')
    })
  })

  test('no worker: the API is up, and a second try is one press away', async (t) => {
    const closed = await closedUrl()
    const url = await startEdge(t, closed)
    await browser.visit(`${url}/#key=${API_KEY}`, async ({ page }) => {
      await page.getByRole('alert').getByText('No worker answers').waitFor()
      const worker = await startFakeWorker({ script: write('ab') })
      t.after(() => worker.close())
      await startProxy(t, worker.url, Number(new URL(closed).port))
      await page.getByRole('button', { name: 'Try again' }).click()
      await ask(page, 'hello')
      assert.equal((await cellsOf(page)).join(''), 'ab')
    })
  })

  test('a full queue: it says when to come back', async (t) => {
    const error = new ApiError('overloaded', 'the queue is full', { retryAfterSeconds: 7 })
    const refuse = () => ({
      status: error.status,
      headers: { 'retry-after': '7' },
      body: JSON.stringify(error.toEnvelope()),
    })
    const url = await startEdgeOn(t, { refuse })
    await browser.visit(`${url}/#key=${API_KEY}`, async ({ page }) => {
      await ask(page, 'hello')
      await page.getByRole('alert').getByText('Try again in 7 seconds').waitFor()
    })
  })

  test('a worker that fails in the middle: what had arrived stays', async (t) => {
    const url = await startEdgeOn(t, {
      script: (job, answer) =>
        answer.send(startOf(job), ...revealsOf(job, 'ab'), {
          type: 'error',
          code: 'deadline_exceeded',
          message: 'the job took too long',
          retryable: true,
        }),
    })
    await browser.visit(`${url}/#key=${API_KEY}`, async ({ page }) => {
      await ask(page, 'hello')
      await page.getByRole('alert').getByText('The answer stopped early').waitFor()
      assert.equal((await cellsOf(page)).join(''), 'ab')
    })
  })

  test('a cut line: what had arrived stays', async (t) => {
    const url = await startEdgeOn(t, {
      script: async (job, answer) => {
        answer.send(startOf(job), ...revealsOf(job, 'ab'))
        await answer.left
      },
    })
    const proxy = await startProxy(t, url)
    await browser.visit(`${proxy.url}/#key=${API_KEY}`, async ({ page }) => {
      await page.getByRole('textbox', { name: 'Ask the model something' }).fill('hello')
      await page.keyboard.press('Enter')
      await page.locator('.token').first().waitFor()
      proxy.cut()
      await page.getByRole('alert').getByText('The connection was cut').waitFor()
      assert.equal((await cellsOf(page)).join(''), 'ab')
    })
  })

  test('a field that the API refuses is named', async (t) => {
    const url = await startEdgeOn(t, { script: write('ab') })
    await browser.visit(`${url}/#key=${API_KEY}`, async ({ page }) => {
      await ask(page, 'a long prompt '.repeat(60))
      await page.getByRole('alert').getByText('The request was refused').waitFor()
    })
  })
})

interface Proxy {
  readonly url: string
  /** Tears every connection apart, whatever is on its way. */
  cut(): void
}

/** Hands requests on to an edge or a worker. */
async function startProxy(t: TestContext, target: string, atPort = 0): Promise<Proxy> {
  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', headers } = incoming
    const onward = request(new URL(incoming.url ?? '/', target), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => outgoing.destroy()).pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  }).listen(atPort, '127.0.0.1')
  t.after(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, cut: () => server.closeAllConnections() }
}
