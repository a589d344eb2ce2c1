import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { Page } from 'playwright-core'
import { stackUnderTest } from '../e2e/stack-under-test.ts'
import {
  ask,
  browserUnderTest,
  cellsOf,
  countersOf,
  noChromium,
  OVER,
} from './browser-under-test.ts'

const run = promisify(execFile)
const PAGE_BYTES_MAX = 150 * 1024
const ORDER =
  '[order] Hello, I am Olive. I would like 32 bells, 6 boxes, 18 shoes, 22 books. ' +
  'Bring them to Berlin on Tuesday.'

/** Run in the page: presses Stop when the first token is there, sooner than a test could. */
const STOP_AT_FIRST_TOKEN = `
  new MutationObserver((changes, observer) => {
    if (document.querySelector('.tokens .token') === null) return
    observer.disconnect()
    const buttons = [...document.querySelectorAll('button')]
    buttons.find(({ textContent }) => textContent.includes('Stop')).click()
  }).observe(document.body, { childList: true, subtree: true })`

/** Run in the page: everywhere a key could be. */
const KEPT = `[
  Object.values({ ...sessionStorage }).join(),
  Object.values({ ...localStorage }).join(),
  document.cookie,
  document.documentElement.outerHTML,
]`

interface Whole {
  text: string
  usage: { completion_tokens: number; forward_passes_details: { decode: number } }
}

describe('the playground', { skip: noChromium, timeout: 240_000 }, () => {
  const under = stackUnderTest('wrangler')
  const browser = browserUnderTest()
  const home = () => `${under.stack.edgeUrl}/#key=${under.stack.demoKey}`
  const setMode = (page: Page, mode: string) => page.getByRole('radio', { name: mode }).check()
  const generate = async (fields: object): Promise<Whole> =>
    (await (
      await under.post('/v1/generate', {
        model: under.stack.model.id,
        messages: [{ role: 'user', content: ORDER }],
        ...fields,
      })
    ).json()) as Whole

  test('an answer is the API’s, token for token, and so are its counters', async () => {
    const { text, usage } = await generate({ mode: 'sbd', gamma: 0.35 })
    await browser.visit(home(), async ({ page }) => {
      await page.getByRole('button', { name: 'balanced' }).click()
      await ask(page, ORDER)
      assert.equal((await cellsOf(page)).join(''), text)
      const counters = await countersOf(page)
      const tokens = usage.completion_tokens
      const forwards = usage.forward_passes_details.decode
      assert.equal(counters['tokens per forward'], (tokens / forwards).toFixed(2))
      assert.equal(counters['forwards saved'], String(tokens - forwards))
      assert.match(counters['tokens per second'] ?? '', /^[\d,]+$/)
      assert.match(counters['time to first text'] ?? '', /^[\d,.]+ ms$/)
      assert.equal(await page.locator('.pass-strip .bar').count(), forwards)
    })
  })

  test('stepping through shows holes, and no token changes once it is revealed', async () => {
    await browser.visit(home(), async ({ page }) => {
      await page.getByRole('button', { name: 'low' }).click()
      await page.getByText('Advanced').click()
      await page.getByRole('combobox', { name: 'Rule for γ' }).selectOption('strict')
      await ask(page, ORDER)
      const slider = page.getByRole('slider', { name: 'Forward pass shown' })
      const forwards = Number(await slider.getAttribute('max'))
      let before: (string | null)[] = []
      let holes = 0
      for (let forward = 1; forward <= forwards; forward++) {
        await slider.fill(String(forward))
        const cells = await cellsOf(page)
        before.forEach((text, index) => {
          if (text !== null) assert.equal(cells[index], text)
        })
        holes += await page.locator('.hole').count()
        before = cells
      }
      assert.ok(holes > 0, 'no hole was ever seen')
      assert.ok(before.every((cell) => cell !== null))
      await page.getByRole('button', { name: 'Replay slowly' }).click()
      await page.getByText(/Replay of the recorded run, \d+ times slower/).waitFor()
    })
  })

  test('tokens show while the answer is written, and Stop keeps what is there', async () => {
    await browser.visit(home(), async ({ page }) => {
      await setMode(page, 'ntp')
      await page.getByText('Advanced').click()
      await page.getByRole('spinbutton', { name: 'Tokens at most' }).fill('400')
      await page.evaluate(STOP_AT_FIRST_TOKEN)
      await ask(page, 'Tell me a story about a fox and a river.')
      await page.locator('[data-status=stopped]').waitFor()
      await page.getByText('Stopped by you.').waitFor()
      const tokens = (await cellsOf(page)).length
      assert.ok(tokens > 0 && tokens < 400, String(tokens))
      await page.getByRole('button', { name: 'Send' }).waitFor()
    })
  })

  test('modes and γ go into the request, which is shown and runs as it is', async () => {
    await browser.visit(home(), async ({ page }) => {
      await setMode(page, 'verified')
      await page.getByRole('slider', { name: /γ/ }).fill('0.6')
      assert.equal(await page.getByRole('radio', { name: 'sbd' }).isChecked(), true)
      await page.getByText('Advanced').click()
      await page.getByRole('slider', { name: 'Temperature' }).fill('0.7')
      await page.getByRole('combobox', { name: 'Block length' }).selectOption('4')
      await ask(page, ORDER)
      await page.getByText('sbd · γ 0.6 · blocks of 4').waitFor()
      const text = (await cellsOf(page)).join('')

      const env = { ...process.env, SETBLOCK_KEY: under.stack.demoKey }
      const code = async (language: string) => {
        await page.getByRole('button', { name: language, exact: true }).click()
        return page.locator('.code pre').innerText()
      }
      const streamed = (await run('sh', ['-c', await code('curl')], { env })).stdout
      const deltas = [...streamed.matchAll(/^data: (.*)$/gm)].map(
        (match) => (JSON.parse(match[1] ?? '') as { delta?: string }).delta ?? '',
      )
      assert.equal(deltas.join(''), text)
      const typescript = await code('TypeScript')
      const args = ['--input-type=module-typescript', '--eval', typescript]
      assert.ok((await run(process.execPath, args, { env })).stdout.startsWith(text))
      if (spawnSync('python3', ['--version']).status === 0) {
        const python = await run('python3', ['-c', await code('Python')], { env })
        assert.ok(python.stdout.startsWith(text))
      }
    })
  })

  test('the request is copied to the clipboard', async () => {
    const permissions = ['clipboard-read', 'clipboard-write']
    const steps = async ({ page }: { page: Page }) => {
      await page.getByRole('button', { name: 'Copy' }).click()
      await page.getByRole('status').getByText('Copied').waitFor()
      const copied = await page.evaluate<string>('navigator.clipboard.readText()')
      assert.match(copied, /^curl -N http/)
      assert.ok(!copied.includes(under.stack.demoKey))
    }
    await browser.visit(home(), steps, { permissions })
  })

  test('a race has a winner by forwards, and is replayed side by side', async () => {
    const ntp = await generate({ mode: 'ntp' })
    const verified = await generate({ mode: 'verified' })
    await browser.visit(home(), async ({ page }) => {
      await page.getByRole('tab', { name: 'Race' }).click()
      await setMode(page, 'verified')
      await page.getByRole('button', { name: 'Order to JSON' }).click()
      const result = page.getByRole('region', { name: 'Result' })
      await result.waitFor()
      const [slow, fast] = [ntp, verified].map(({ usage }) => usage.forward_passes_details.decode)
      const said = await result.innerText()
      assert.ok(said.includes(`${fast} in verified, ${slow} in ntp`), said)
      assert.match(said, /Same text/)
      assert.match(said, /[\d.]+× (?:faster|slower)/)
      assert.match(said, /medians of 3 runs each/)
      await page.getByText(/Replay of the recorded runs, \d+ times slower/).waitFor()
      const slider = page.getByRole('slider', { name: 'Forward pass shown' })
      await slider.fill((await slider.getAttribute('max')) ?? '')
      const lanes = page.locator('.lane .tokens')
      const texts = await lanes.evaluateAll((all) => all.map(({ textContent }) => textContent))
      assert.deepEqual(texts, [ntp.text, verified.text])
      await slider.fill('0')
      assert.equal(await page.locator('.lane .token').count(), 0)
    })
  })

  test('a key from the link leaves the address bar and stays in this tab', async () => {
    await browser.visit(home(), async ({ page }) => {
      await page.getByRole('textbox', { name: 'Ask the model something' }).waitFor()
      assert.equal(page.url(), `${under.stack.edgeUrl}/`)
      const kept = await page.evaluate<string[]>(KEPT)
      assert.equal(kept[0], under.stack.demoKey)
      assert.deepEqual(kept.slice(1, 3), ['', ''])
      assert.ok(!kept[3]?.includes(under.stack.demoKey))
      await page.getByRole('button', { name: 'forget this key' }).click()
      await page.getByRole('textbox', { name: 'API key' }).waitFor()
      assert.equal(await page.evaluate<number>('sessionStorage.length'), 0)
    })
  })

  test('nothing leaves the origin, and the page is small', async () => {
    await browser.visit(home(), async ({ page, requested, transferred }) => {
      await ask(page, '[sort] lima quito black osaka')
      const origin = under.stack.edgeUrl
      assert.deepEqual(
        requested.filter((url) => !url.startsWith(`${origin}/`)),
        [],
      )
      const files = [...transferred].filter(([url]) => !url.includes('/v1/'))
      assert.ok(files.length >= 3)
      const bytes = files.reduce((sum, [, size]) => sum + size, 0)
      assert.ok(bytes < PAGE_BYTES_MAX, `${bytes} bytes`)
    })
  })

  test('earlier turns are sent along only when asked for', async () => {
    await browser.visit(home(), async ({ page }) => {
      const bodies: { messages: unknown[] }[] = []
      page.on('request', (request) => {
        if (request.method() === 'POST')
          bodies.push(request.postDataJSON() as { messages: unknown[] })
      })
      await ask(page, '[sort] lima quito')
      await ask(page, '[sort] black osaka')
      await page.getByText('Advanced').click()
      await page.getByRole('checkbox', { name: /Send earlier turns/ }).check()
      await ask(page, '[sort] pens lamps')
      assert.deepEqual(
        bodies.map(({ messages }) => messages.length),
        [1, 1, 5],
      )
      assert.equal(await page.locator(OVER).count(), 3)
      await page.getByRole('button', { name: 'Clear conversation' }).click()
      assert.equal(await page.locator('.turn').count(), 0)
    })
  })
})
