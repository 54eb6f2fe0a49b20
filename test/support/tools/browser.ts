/** A real browser for the studio: Debian's Chromium, or the one that `MNEME_CHROMIUM` names. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import axe from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'

const places = [
  process.env['MNEME_CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]
const executablePath = places.find((path) => path !== undefined && existsSync(path))

/** Why tests in a browser are left out, if they are. */
export const noBrowser: string | false =
  executablePath === undefined && 'there is no Chromium: apt-get install chromium, or set MNEME_CHROMIUM'

/** Without a sandbox, because root, as in containers, may not have one. It opens only the studio. */
export const startBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] })

export interface Look {
  readonly width?: number
  readonly colorScheme?: 'light' | 'dark'
}

/** A page that has told no errors and asked nobody but the studio when it is closed. */
export async function openPage(
  browser: Browser,
  address: string,
  { width = 1280, colorScheme = 'light' }: Look = {},
): Promise<AsyncDisposable & { readonly page: Page }> {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme })
  const page = await context.newPage()
  const wrong: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') wrong.push(message.text())
  })
  page.on('pageerror', (error) => wrong.push(error.message))
  const { origin } = new URL(address)
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith('data:')) wrong.push(request.url())
  })
  await page.goto(address)
  return {
    page,
    async [Symbol.asyncDispose]() {
      await context.close()
      assert.deepEqual(wrong, [])
    },
  }
}

/** What axe has against a page. */
export async function barriers(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source)
  const found = await page.evaluate<{
    readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[]
  }>('axe.run()')
  return found.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
}
