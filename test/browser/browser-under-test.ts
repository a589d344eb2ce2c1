import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before } from 'node:test'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

/** Where Chromium is found; SETBLOCK_CHROMIUM names another one. */
const PLACES = [
  process.env.SETBLOCK_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]
const executablePath = PLACES.find((place) => place !== undefined && existsSync(place))
/** Longest wait for something to show up, on a busy machine. */
const PATIENCE_MS = 20_000

/** For `describe`: the reason to skip, said loudly, or false. */
export const noChromium = executablePath === undefined && 'no Chromium found: the page is UNTESTED'
if (noChromium !== false) process.stderr.write(`\n=== SKIPPED: ${noChromium}\n\n`)

export interface Visit {
  readonly page: Page
  /** Every address that was asked for. */
  readonly requested: readonly string[]
  /** Answers' bytes as they came over the wire, by address. */
  readonly transferred: ReadonlyMap<string, number>
  /** What the browser complained of: script errors, and what the security policy forbade. */
  readonly complaints: readonly string[]
}

export interface BrowserUnderTest {
  /** Opens an address in a fresh profile, gives it to `steps`, and closes it. */
  visit(
    url: string,
    steps: (visit: Visit) => Promise<void>,
    options?: BrowserContextOptions,
  ): Promise<void>
}

/** A real Chromium for the tests of one file. */
export function browserUnderTest(): BrowserUnderTest {
  let browser: Browser
  before(async () => {
    if (executablePath === undefined) return
    // Its own sandbox needs rights that containers and root do not have; it sees our own page only.
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  })
  after(() => browser?.close())

  return {
    async visit(url, steps, options = {}) {
      const context = await browser.newContext(options)
      context.setDefaultTimeout(PATIENCE_MS)
      try {
        const page = await context.newPage()
        const visit = watch(page)
        await page.goto(url)
        await steps(visit)
        assert.deepEqual(visit.complaints, [])
      } finally {
        await context.close()
      }
    },
  }
}

function watch(page: Page): Visit {
  const requested: string[] = []
  const transferred = new Map<string, number>()
  const complaints: string[] = []
  page.on('request', (request) => requested.push(request.url()))
  page.on('requestfinished', (request) => {
    void request.sizes().then(
      ({ responseBodySize }) => transferred.set(request.url(), responseBodySize),
      () => undefined,
    )
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // Chromium writes a line for every refused request, which the page itself handles.
    const refused = message.text().startsWith('Failed to load resource')
    if (message.type() === 'error' && !refused) complaints.push(message.text())
  })
  return { page, requested, transferred, complaints }
}

/** Sends a prompt and waits until its answer is over. */
export async function ask(page: Page, prompt: string): Promise<void> {
  const before = await page.locator('.turn').count()
  await page.getByRole('textbox', { name: 'Ask the model something' }).fill(prompt)
  await page.getByRole('button', { name: 'Send' }).click()
  await page.locator('.turn').nth(before).and(page.locator(OVER)).waitFor()
}

/** A turn that is over, however it ended. */
export const OVER = '[data-status=done], [data-status=failed], [data-status=stopped]'

/** What stands at each position of an answer: a token's text, or `null` for a mask. */
export function cellsOf(page: Page): Promise<(string | null)[]> {
  return page
    .locator('.turn:last-of-type .tokens > span')
    .evaluateAll((cells) =>
      cells.map((cell) => (cell.classList.contains('token') ? (cell.textContent ?? '') : null)),
    )
}

/** The figures below the last answer, by name. */
export async function countersOf(page: Page): Promise<Record<string, string>> {
  const pairs = await page
    .locator('.turn:last-of-type .counter')
    .evaluateAll((counters) =>
      counters.map((counter) => [
        counter.querySelector('dt')?.textContent ?? '',
        counter.querySelector('.value')?.textContent ?? '',
      ]),
    )
  return Object.fromEntries(pairs) as Record<string, string>
}
