import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'
import type { AxeResults } from 'axe-core'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { stackUnderTest } from '../e2e/stack-under-test.ts'
import { ask, browserUnderTest, noChromium, type Visit } from './browser-under-test.ts'

const PROMPT = '[sort] lima quito black osaka'
const axeSource = await readFile(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
)

/** What axe-core finds wrong, as `rule: elements`. */
async function violations(page: Page): Promise<string[]> {
  // Evaluated by the debugger, which the page's security policy does not bind.
  await page.evaluate(axeSource)
  const { violations } = await page.evaluate<AxeResults>('axe.run()')
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`)
}

const LOOKS: Record<string, BrowserContextOptions> = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  'a phone': { viewport: { width: 360, height: 740 }, hasTouch: true },
}

describe(
  'the playground and the reference are accessible',
  { skip: noChromium, timeout: 240_000 },
  () => {
    const under = stackUnderTest('node')
    const browser = browserUnderTest()
    const home = () => `${under.stack.edgeUrl}/#key=${under.stack.demoKey}`

    for (const [look, options] of Object.entries(LOOKS)) {
      test(`${look}: axe-core finds nothing, on any view`, async () => {
        await browser.visit(under.stack.edgeUrl, ({ page }) => keyForm(page), options)
        await browser.visit(home(), ({ page }) => views(page), {
          ...options,
          reducedMotion: 'reduce',
        })
      })
    }

    for (const [look, options] of Object.entries(LOOKS)) {
      test(`${look}: the reference has its looks, and axe-core finds nothing`, async () => {
        await browser.visit(`${under.stack.edgeUrl}/docs`, reference, options)
      })
    }

    async function reference({ page, complaints }: Visit): Promise<void> {
      assert.deepEqual(complaints, [])
      const sheets = await page.evaluate<number>('document.styleSheets.length')
      assert.equal(sheets, 1)
      const tooWide = 'document.documentElement.scrollWidth > innerWidth'
      assert.equal(await page.evaluate<boolean>(tooWide), false)
      assert.deepEqual(await violations(page), [])
    }

    async function keyForm(page: Page): Promise<void> {
      await page.getByRole('textbox', { name: 'API key' }).fill('sb-wrong')
      await page.keyboard.press('Enter')
      await page.getByRole('alert').waitFor()
      assert.deepEqual(await violations(page), [])
    }

    async function views(page: Page): Promise<void> {
      await page.getByRole('textbox', { name: 'Ask the model something' }).waitFor()
      assert.deepEqual(await violations(page), [], 'empty')
      for (const fold of await page.locator('summary').all()) {
        if (await fold.isVisible()) await fold.click()
      }
      await page.getByText('Advanced').click()
      await ask(page, PROMPT)
      assert.deepEqual(await violations(page), [], 'answered')
      await page.getByRole('tab', { name: 'Race' }).click()
      await page.getByRole('button', { name: 'Sort words' }).click()
      await page.getByRole('region', { name: 'Result' }).waitFor()
      assert.deepEqual(await violations(page), [], 'race')
    }

    test('nothing is wider than a phone', async () => {
      const steps = async ({ page }: { page: Page }) => {
        await ask(page, PROMPT)
        const width = () => page.evaluate<number>('document.documentElement.scrollWidth')
        assert.equal(await width(), 360)
        await page.getByRole('tab', { name: 'Race' }).click()
        await page.getByRole('button', { name: 'Order to JSON' }).click()
        await page.getByRole('region', { name: 'Result' }).waitFor()
        assert.equal(await width(), 360)
      }
      await browser.visit(home(), steps, { viewport: { width: 360, height: 740 } })
    })

    test('everything can be done with the keyboard alone', async () => {
      await browser.visit(under.stack.edgeUrl, async ({ page }) => {
        const { keyboard } = page
        // The key field has the focus, and after it the prompt.
        await page.locator('#key:focus').waitFor()
        await keyboard.type(under.stack.demoKey)
        await keyboard.press('Enter')
        await page.locator('#prompt:focus').waitFor()
        await keyboard.type(PROMPT)
        await keyboard.press('Enter')
        await page.locator('[data-status=done]').waitFor()
        const said = page
          .getByRole('status')
          .getByText(/^Answer complete: \d+ tokens in \d+ forward/)
        await said.waitFor({ state: 'attached' })

        await tabTo(page, '.tokens', 'Shift+Tab')
        await keyboard.press('Home')
        await keyboard.press('ArrowRight')
        await page.locator('.inspector', { hasText: 'token 2, position' }).waitFor()
        await tabTo(page, '.transport input', 'Tab')
        await keyboard.press('Home')
        assert.equal(await page.locator('.token').count(), 0)
        await tabTo(page, 'input[name=mode]', 'Shift+Tab')
        await keyboard.press('ArrowLeft')
        assert.equal(await page.getByRole('radio', { name: 'verified' }).isChecked(), true)
        await tabTo(page, '.chip', 'Tab')
        await keyboard.press('Enter')
        await page.locator('.turn').nth(1).locator('.transport').waitFor()
        assert.equal(await page.locator('.chip:focus').count(), 1)
        await tabTo(page, '[role=tab]', 'Shift+Tab')
        await keyboard.press('ArrowRight')
        assert.equal(
          await page.getByRole('tab', { name: 'Race' }).getAttribute('aria-selected'),
          'true',
        )
      })
    })

    test('the focus can be seen wherever it goes', async () => {
      await browser.visit(home(), async ({ page }) => {
        await page.locator('#prompt:focus').waitFor()
        const seen = new Set<string>()
        for (let step = 0; step < 30; step++) {
          await page.keyboard.press('Tab')
          const [name, visible] =
            await page.evaluate<[name: string, visible: boolean]>(DESCRIBE_FOCUS)
          assert.ok(visible, `nothing shows that ${name} has the focus`)
          seen.add(name)
        }
        assert.ok(seen.size > 10, [...seen].join())
      })
    })

    test('with reduced motion nothing moves by itself', async () => {
      const steps = async ({ page }: { page: Page }) => {
        await ask(page, PROMPT)
        await page.getByRole('slider', { name: 'Forward pass shown' }).fill('1')
        assert.equal(await page.evaluate<number>('document.getAnimations().length'), 0)
        await page.getByRole('tab', { name: 'Race' }).click()
        await page.getByRole('button', { name: 'Sort words' }).click()
        await page.getByRole('region', { name: 'Result' }).waitFor()
        await page.getByText('Shown as it ended').waitFor()
        assert.equal(await page.getByRole('button', { name: 'Pause' }).count(), 0)
      }
      await browser.visit(home(), steps, { reducedMotion: 'reduce' })
    })
  },
)

/** Presses a key until the focus is there. */
async function tabTo(page: Page, selector: string, key: 'Tab' | 'Shift+Tab'): Promise<void> {
  const STOPS_MAX = 60
  for (let stop = 0; stop < STOPS_MAX; stop++) {
    await page.keyboard.press(key)
    if ((await page.locator(selector).and(page.locator(':focus')).count()) > 0) return
  }
  assert.fail(`${selector} cannot be reached by ${key}`)
}

/** Run in the page: the element with the focus, and whether an outline shows it. */
const DESCRIBE_FOCUS = `(() => {
  const element = document.activeElement
  if (element === null || element === document.body) return ['the page', true]
  // The outline may be that of its label or of the frame around it.
  const marked = [element, element.nextElementSibling, element.closest('.composer')].some(
    (each) => each !== null && getComputedStyle(each).outlineStyle !== 'none',
  )
  return [element.id || element.textContent || element.className, marked]
})()`
