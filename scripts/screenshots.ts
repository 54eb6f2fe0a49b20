/**
 * Makes the pictures of the tutorial, `docs/images/`: the bank of the starter in the studio, in a real browser. Run it
 * after a change of the studio that shows in them, and look at them: `npm run screenshots`.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Bank } from '../examples/starter/src/bank.ts'
import { memory } from '../src/index.ts'
import { startBrowser } from '../test/support/tools/browser.ts'
import { openInspection } from '../tools/src/inspection/index.ts'
import { startStudio } from '../tools/src/studio/index.ts'
import { root } from './package.ts'
import { buildPage } from './page.ts'

const images = join(root, 'docs/images')
const folder = mkdtempSync(join(tmpdir(), 'mneme-screenshots-'))
try {
  buildPage(folder)
  mkdirSync(images, { recursive: true })
  const store = memory()
  await using bank = await Bank.start({ store })
  await bank.account('ada').open({ owner: 'Ada' })
  await bank.account('ada').deposit({ amount: 100 })
  await bank.account('bob').open({ owner: 'Bob' })
  await bank.account('bob').deposit({ amount: 20 })
  await bank.account('ada').withdraw({ amount: 30 })
  await using inspection = await openInspection({ store, domain: Bank })
  const page = pathToFileURL(`${folder}/`)
  await using studio = await startStudio(inspection, { port: 0, environment: {}, page })
  await using browser = await startBrowser()
  const context = await browser.newContext({ viewport: { width: 1000, height: 560 }, colorScheme: 'light' })
  const tab = await context.newPage()
  await tab.goto(studio.address)
  await tab.locator('.events > li').nth(4).waitFor()
  await tab.screenshot({ path: join(images, 'studio-log.png') })
  await tab.goto(new URL('/#/stream/account/ada/3', tab.url()).href)
  await tab.getByText('70', { exact: true }).first().waitFor()
  await tab.screenshot({ path: join(images, 'studio-stream.png') })
} finally {
  rmSync(folder, { recursive: true, force: true })
}
