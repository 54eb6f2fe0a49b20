/** The rows of the balances, given and then. */
import { test } from 'node:test'
import { on, spec } from '../../src/testing/index.ts'
import { Deposited, Opened, Withdrawn } from './account.ts'
import { Balances } from './balances.ts'

// #region spec
const lastMovement = new Date('2026-01-01T00:00:00Z')

test('a balance follows the movements of its account', () => {
  spec(Balances)
    .at(lastMovement)
    .given(on('ada', Opened({ owner: 'Ada' }), Deposited({ amount: 100 }), Withdrawn({ amount: 30 })))
    .row('ada', { owner: 'Ada', balance: 70, lastMovement })
    .row('bob', undefined)
})
// #endregion
