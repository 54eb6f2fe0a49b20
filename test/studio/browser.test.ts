/** The studio in a real browser, used as a person would. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { TransferBank } from '../../examples/transfer/bank.ts'
import { leftOut, sized } from '../support/size.ts'
import { barriers, noBrowser, openPage, startBrowser } from '../support/tools/browser.ts'
import { filledStore, studioPlace } from '../support/tools/studio-place.ts'

describe('The studio in a browser', { skip: noBrowser || leftOut }, () => {
  let browser: Browser
  before(async () => {
    browser = await startBrowser()
  })
  after(() => browser?.close())

  /** Goes to a screen by its link. */
  const to = (page: Page, hash: string) => page.goto(new URL(`/${hash}`, page.url()).href)
  const state = (page: Page) => page.locator('.version .panel').first().locator('.json')

  test('shows the log, and new events as they are stored', async (t) => {
    const store = await filledStore()
    const { studio, origin } = await studioPlace(t, { store })
    await using opened = await openPage(browser, studio.address)
    const { page } = opened
    assert.equal(new URL(page.url()).href, `${origin}/`, 'the token is not in the address')
    const rows = page.locator('.events > li')
    await rows.nth(9).waitFor()
    assert.match((await rows.first().textContent())!, /^10TransferCompletedtransfer\/t1 #3/)
    await page.locator('.live.on').waitFor()
    await using bank = await TransferBank.start({ store, projections: 'manual' })
    await bank.account('bob').deposit({ amount: 77 })
    await page.getByText('{"amount":77}').waitFor()
    assert.equal(await rows.count(), 11)
    // A row opens by a click, and by keys.
    await page.getByRole('button', { name: '11' }).click()
    await page.locator('.details').waitFor()
    await page.keyboard.press('j')
    assert.match((await page.locator('.events > li.open').textContent())!, /TransferCompleted/)
  })

  test('keeps its token for other tabs, and from all other servers of the machine', async (t) => {
    const { studio, origin, token } = await studioPlace(t, { store: await filledStore() })
    await using opened = await openPage(browser, studio.address)
    await opened.page.locator('.events > li').first().waitFor()
    const heard: string[] = []
    const other = createServer(({ url, headers }, response) => {
      heard.push(JSON.stringify([url, headers]))
      response.setHeader('content-type', 'text/html').end('<title>Another</title>')
    }).listen(0, '127.0.0.1')
    t.after(() => other.close().closeAllConnections())
    await once(other, 'listening')
    const tab = await opened.page.context().newPage()
    for (const address of [`${origin}/#/log`, `${origin}/?token=of-yesterday#/log`]) {
      await tab.goto(address)
      await tab.locator('.events > li').first().waitFor()
      assert.equal(tab.url(), `${origin}/#/log`)
    }
    await tab.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`)
    const seen = await tab.evaluate<string>('document.cookie + document.referrer + JSON.stringify(localStorage)')
    assert.ok(heard.length > 0 && !`${heard} ${seen}`.includes(token), `${heard} ${seen}`)
  })

  test('says what is missing without the token or with an old one, and does not ask again and again', async (t) => {
    const { origin } = await studioPlace(t, { store: await filledStore() })
    for (const address of [`${origin}/`, `${origin}/?token=of-yesterday`]) {
      const context = await browser.newContext()
      t.after(() => context.close())
      const page = await context.newPage()
      const asked: string[] = []
      page.on('request', (request) => asked.push(request.url()))
      await page.goto(address)
      await page.getByText('Open the address that mneme studio has printed').first().waitFor()
      assert.ok(asked.length < 20, `${asked}`)
    }
  })

  test('filters the log, and keeps the filter in the address', async (t) => {
    const { studio } = await studioPlace(t, { store: await filledStore() })
    await using opened = await openPage(browser, studio.address)
    const { page } = opened
    await page.locator('.events > li').nth(9).waitFor()
    await page.getByLabel('type').fill('MoneyWithdrawn')
    await page.keyboard.press('Enter')
    await page.locator('.events > li:only-child').waitFor()
    assert.match(page.url(), /#\/log\?type=MoneyWithdrawn$/)
    await page.reload()
    await page.locator('.events > li:only-child').waitFor()
    assert.equal(await page.getByLabel('type').inputValue(), 'MoneyWithdrawn')
  })

  test('moves along the versions of a stream, each with its state, its changes and its cause', async (t) => {
    const { studio } = await studioPlace(t, { store: await filledStore(250) })
    await using opened = await openPage(browser, studio.address)
    const { page } = opened
    await page
      .getByRole('link', { name: /account\/ada/ })
      .first()
      .click()
    const balance = (amount: number) => state(page).getByText(String(amount), { exact: true }).waitFor()
    // 1 + ... + 250, less the 5 of the transfer.
    await balance(31_370)
    await page.getByText('the request', { exact: true }).first().waitFor()
    // The command of the transfer, and what else came of it.
    await page.locator('.tree').getByText('TransferRequested').waitFor()
    await page.keyboard.press('ArrowLeft')
    await balance(31_375)
    assert.equal(await page.locator('.changes').textContent(), 'balance31125 → 31375')
    await page.keyboard.press('PageUp')
    // After 250 events less 100: 1 + ... + 150.
    await balance(11_325)
    await page.keyboard.press('Shift+ArrowLeft')
    await balance(9_870)
    await page.getByRole('slider').fill('6')
    await balance(15)
    await page.waitForURL(/#\/stream\/account\/ada\/6$/)
    await page.reload()
    await balance(15)
    await page.keyboard.press('Home')
    await page.getByText('This is the initial state of the aggregate.').waitFor()
    await balance(0)
    await page.keyboard.press('End')
    await balance(31_370)
    // The list follows when the slider stands still.
    await page.locator('.list button', { hasText: /^201/ }).click()
    await page.getByText('201', { exact: true }).first().waitFor()
  })

  test('shows every screen in light and dark, wide and narrow, for everybody', async (t) => {
    const { studio } = await studioPlace(t, { store: await filledStore() })
    const screens: readonly (readonly [hash: string, text: string])[] = [
      ['#/log', 'TransferCompleted'],
      ['#/stream/transfer/t1/2', 'Cause and effects nearby'],
      ['#/cause/the%20request', '5 commands'],
      ['#/catalogue', 'withdraw'],
      ['#/followers', 'balances'],
      ['#/rows/balances', 'ada'],
      ['#/row/balances/ada/2', 'MoneyDeposited'],
      ['#/reaction/move%20money', 'Nothing is scheduled.'],
      ['#/cluster', 'No process has joined'],
    ]
    const looks = [
      { width: 1400, colorScheme: 'light' },
      { width: 390, colorScheme: 'dark' },
    ] as const
    for (const look of looks) {
      await using opened = await openPage(browser, studio.address, look)
      const { page } = opened
      // In the quick run each screen has one of the two looks.
      for (const [i, [hash, text]] of screens.entries()) {
        if (sized(2, 1) === 1 && i % 2 !== looks.indexOf(look)) continue
        await to(page, hash)
        await page.getByText(text).first().waitFor()
        const [inner, outer] = await page.evaluate<[number, number]>(
          '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
        )
        assert.ok(inner <= outer, `${hash} is ${inner} wide in ${outer}`)
        assert.deepEqual(await barriers(page), [], `${hash} in ${look.colorScheme}`)
      }
    }
  })

  test('says which events made a value what it is', async (t) => {
    const { studio } = await studioPlace(t, { store: await filledStore(30) })
    await using opened = await openPage(browser, studio.address)
    const { page } = opened
    await to(page, '#/stream/account/ada')
    await state(page).getByRole('button', { name: '460' }).click()
    await page.getByRole('heading', { name: 'Why is balance 460?' }).waitFor()
    const reasons = page.locator('.reasons li')
    await reasons.nth(19).waitFor()
    assert.equal(await reasons.first().textContent(), '32MoneyWithdrawn465 → 460')
    await page.getByRole('button', { name: 'Earlier ones' }).click()
    await reasons.nth(30).waitFor()
    assert.equal(await reasons.last().textContent(), '2MoneyDeposited0 → 1')
    // A reason leads to its version, where the question is asked again.
    await reasons.nth(1).getByRole('button').click()
    await page.getByRole('heading', { name: 'Why is balance 465?' }).waitFor()
    await state(page).getByRole('button', { name: '"open"' }).click()
    await page.getByRole('heading', { name: 'Why is status "open"?' }).waitFor()
    await page.locator('.reasons li:only-child').getByText('AccountOpened').waitFor()
    assert.deepEqual(await barriers(page), [])
  })

  test('opens a stream or a command by its name, and says what is not there', async (t) => {
    const { studio } = await studioPlace(t, { store: await filledStore() })
    await using opened = await openPage(browser, studio.address)
    const { page } = opened
    await page.keyboard.press('/')
    await page.keyboard.type('account/bob')
    await page.keyboard.press('Enter')
    await state(page).getByText('5', { exact: true }).waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('the request')
    await page.keyboard.press('Enter')
    await page.getByText('5 commands under the correlation').waitFor()
    await page.keyboard.press('2')
    await page.getByRole('heading', { name: 'Catalogue' }).waitFor()
    await to(page, '#/cause/nothing')
    await page.getByText('No event has this id.').waitFor()
    await page.keyboard.press('?')
    await page.getByRole('heading', { name: 'Keys' }).waitFor()
  })
})
