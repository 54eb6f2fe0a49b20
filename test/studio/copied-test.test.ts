/** From a bug in a stored history to a failing test, in a real browser. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openInspection } from '../../tools/src/inspection/index.ts'
import { startStudio } from '../../tools/src/studio/index.ts'
import { leftOut } from '../support/size.ts'
import { barriers, noBrowser, openPage, startBrowser } from '../support/tools/browser.ts'
import { domainProject } from '../support/tools/domain-project.ts'
import { builtPage } from '../support/tools/studio-place.ts'

/** An account. @param limit what a withdrawal may not be over */
const account = (limit: string) => `
  import { aggregate, event, reject } from 'mneme'
  import { z } from 'zod'
  const amount = z.int().positive()
  export const Deposited = event('Deposited', z.object({ amount }))
  export const Withdrawn = event('Withdrawn', z.object({ amount }))
  export const Account = aggregate('account', () => ({ balance: 0 }))
    .on(Deposited, ({ balance }, { amount }) => ({ balance: balance + amount }))
    .on(Withdrawn, ({ balance }, { amount }) => ({ balance: balance - amount }))
    .command('deposit', z.object({ amount }), (_, data) => Deposited(data))
    .command('withdraw', z.object({ amount }), ({ balance }, { amount }) =>
      amount > ${limit} ? reject('InsufficientFunds', { balance }) : Withdrawn({ amount }))
`
const bank = `
  import { domain } from 'mneme'
  import { Account } from './account.ts'
  export const Bank = domain({ aggregates: { account: Account } })
`

describe('A bug in a stored history', { skip: noBrowser || leftOut }, () => {
  test('becomes a failing test in three clicks, which passes when it is fixed', async (t) => {
    const project = domainProject(t, { 'account.ts': account('balance + 100'), 'bank.ts': bank })
    const target = await project.load()
    const started = (await target.domain.start({ store: target.store })) as AsyncDisposable & {
      dispatch(command: object): Promise<unknown>
    }
    for (const [name, amount] of [
      ['deposit', 30],
      ['withdraw', 80],
      ['deposit', 5],
    ] as const)
      await started.dispatch({ aggregate: 'account', id: 'ada', name, data: { amount } })
    await started[Symbol.asyncDispose]()
    await using inspection = await openInspection(target)
    await using studio = await startStudio(inspection, { port: 0, environment: {}, page: builtPage() })
    await using browser = await startBrowser()
    await using opened = await openPage(browser, studio.address)
    const { page } = opened
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    // What has the account got into? Three clicks: the event, the test, and that it is wrong.
    await page.locator('.events > li', { hasText: 'Withdrawn' }).getByRole('link').click()
    await page.getByRole('button', { name: 'Copy as a test' }).click()
    await page.getByRole('button', { name: 'It is wrong: copy a failing test' }).click()
    await page.getByText('It is on the clipboard.').waitFor()
    const copied = await page.evaluate<string>('navigator.clipboard.readText()')
    assert.equal(await page.getByLabel('The test', { exact: true }).inputValue(), copied)
    assert.match(copied, /\.when\.withdraw\(\{ amount: 80 \}\)/)
    assert.deepEqual(await barriers(page), [])
    project.write('account-ada-2.test.ts', copied)
    const failed = await project.run('account-ada-2.test.ts')
    assert.equal(failed.code, 1, failed.out)
    assert.match(failed.out, /account\/ada at version 2: withdraw must do something else/)
    project.write('account.ts', account('balance'))
    const passed = await project.run('account-ada-2.test.ts')
    assert.equal(passed.code, 0, passed.out)
  })
})
