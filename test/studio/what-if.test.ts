/** Commands and other worlds in the studio, in a real browser, used as a person would. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { memory } from '../../src/index.ts'
import { leftOut } from '../support/size.ts'
import { barriers, noBrowser, openPage, startBrowser } from '../support/tools/browser.ts'
import { filledStore, studioPlace } from '../support/tools/studio-place.ts'

describe('Commands in the studio in a browser', { skip: noBrowser || leftOut }, () => {
  let browser: Browser
  before(async () => {
    browser = await startBrowser()
  })
  after(() => browser?.close())

  const outcomes = (page: Page) => page.locator('.outcomes > li')
  const tried = async (page: Page, command: string, amount: string) => {
    const count = await outcomes(page).count()
    await page.getByLabel('Command', { exact: true }).selectOption(command)
    await page.getByLabel('amount').fill(amount)
    await page.keyboard.press('Enter')
    await outcomes(page).nth(count).locator('.accepted, .refused').waitFor()
    return outcomes(page).nth(count)
  }

  test('are tried at a version, beside the real world, and the address keeps it', async (t) => {
    const { studio } = await studioPlace(t, { store: await filledStore() })
    await using opened = await openPage(browser, studio.address)
    const { page } = opened
    await page.goto(new URL('/#/stream/account/ada/4', page.url()).href)
    await page.getByRole('link', { name: 'Try a command here' }).click()
    await page.getByText('Try a command, or change an event.').waitFor()
    assert.match((await (await tried(page, 'withdraw', '500')).textContent())!, /rejected: InsufficientFunds/)
    assert.match((await (await tried(page, 'withdraw', '4')).textContent())!, /MoneyWithdrawn.*balance6 → 2/)
    // Another deposit, and one that never was.
    await page.getByRole('button', { name: 'Edit 2' }).click()
    const field = page.getByLabel('Event 2 as JSON')
    await field.fill('{"amount":')
    await page.getByRole('button', { name: 'Apply' }).click()
    assert.equal(await field.getAttribute('aria-invalid'), 'true')
    await field.fill('{"amount":100}')
    await page.getByRole('button', { name: 'Apply' }).click()
    await page.getByRole('button', { name: 'Leave out 3' }).click()
    const other = page.getByRole('region', { name: 'Other world' })
    await other.locator('.json').getByText('99', { exact: true }).waitFor()
    await page.getByRole('region', { name: 'Real world' }).locator('.json').getByText('1', { exact: true }).waitFor()
    assert.equal(await page.getByRole('button', { name: 'Send it for real' }).count(), 0)
    assert.deepEqual(await barriers(page), [])
    await page.reload()
    await other.locator('.json').getByText('99', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Undo 3' }).click()
    await other.locator('.json').getByText('101', { exact: true }).waitFor()
    await page.goBack()
    await other.locator('.json').getByText('99', { exact: true }).waitFor()
  })

  test('are sent for real only after they were tried and somebody said yes', async (t) => {
    const { studio } = await studioPlace(t, { store: await filledStore() }, { isWritable: true })
    await using opened = await openPage(browser, studio.address, { width: 390, colorScheme: 'dark' })
    const { page } = opened
    await page.goto(new URL('/#/catalogue', page.url()).href)
    await page.getByRole('link', { name: 'deposit', exact: true }).click()
    await page.getByLabel('id', { exact: true }).fill('ada')
    await page.keyboard.press('Enter')
    assert.equal(await page.getByLabel('Command', { exact: true }).inputValue(), 'deposit')
    await tried(page, 'deposit', '41')
    await page.getByRole('button', { name: 'Send it for real' }).click()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'Send it for real' }).click()
    assert.deepEqual(await barriers(page), [])
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await page.getByText('It was sent.').waitFor()
    await page.getByRole('link', { name: 'See version 6 of account/ada' }).click()
    await page.locator('.version .json').first().getByText('42', { exact: true }).waitFor()
    await page.getByText('studio', { exact: true }).waitFor()
  })

  test('a reaction is paused and resumed after a question, and only in a studio that may write', async (t) => {
    const store = await filledStore()
    const reading = await studioPlace(t, { store })
    const writing = await studioPlace(t, { store }, { isWritable: true })
    await using opened = await openPage(browser, writing.studio.address)
    const { page } = opened
    await page.goto(new URL('/#/followers', page.url()).href)
    const row = page.getByRole('row', { name: /move money/ })
    await row.getByRole('button', { name: 'Pause' }).click()
    await row.getByRole('button', { name: 'Yes' }).click()
    await row.getByText('paused since').waitFor()
    assert.deepEqual(await barriers(page), [])
    await using looked = await openPage(browser, reading.studio.address)
    await looked.page.goto(new URL('/#/followers', looked.page.url()).href)
    await looked.page
      .getByRole('row', { name: /move money/ })
      .getByText('paused since')
      .waitFor()
    assert.equal(await looked.page.getByRole('button', { name: /Pause|Resume/ }).count(), 0)
    await row.getByRole('button', { name: 'Resume' }).click()
    await row.getByRole('button', { name: 'Yes' }).click()
    await row.getByRole('button', { name: 'Pause' }).waitFor()
  })

  test('a reaction that has never run says where it begins', async (t) => {
    const { studio } = await studioPlace(t, { store: memory() })
    await using opened = await openPage(browser, studio.address)
    const { page } = opened
    await page.goto(new URL('/#/followers', page.url()).href)
    await page.getByText('has never run; begins at the first event').waitFor()
    await page.getByRole('link', { name: 'move money' }).click()
    await page.getByText('It has never run. It begins at the first event.').waitFor()
  })
})
