import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cases, explore } from '../support/simulation/explore.ts'
import { loadWith } from '../support/simulation/find-bug.ts'
import { plantedBugs } from '../support/simulation/planted-bugs.ts'
import { sized } from '../support/size.ts'

const preemptionsMax = sized(3, 2)

/** Planted bugs for which one order of a small case is enough. */
const bugs = [
  'a "no" is answered without a look at the end of the stream',
  'a look is believed whatever it says',
  'a commit expects nothing of its stream',
  'a repeated command is answered without a look whether it is stored',
  'a process that takes over does not raise the term',
]

describe('Every order with few preemptions keeps all promises', () => {
  for (const [name, actions] of Object.entries(cases)) {
    test(name, async (context) => {
      const { orders, broken } = await explore(actions, preemptionsMax)
      assert.equal(broken, undefined)
      assert.ok(orders > 30, `${orders} orders`)
      context.diagnostic(`${orders} orders`)
    })
  }
})

describe('Some order shows the planted bug that', () => {
  for (const bug of plantedBugs.filter(({ name }) => bugs.includes(name)).slice(0, sized(bugs.length, 1))) {
    test(bug.name, async (context) => {
      const planted = (await loadWith(bug, 'explore.ts')) as {
        readonly explore: typeof explore
        readonly cases: typeof cases
      }
      let shown: string | undefined
      for (const actions of Object.values(planted.cases)) {
        const { orders, broken } = await planted.explore(actions, 2)
        if (broken !== undefined) shown ??= `after ${orders} orders: ${broken.check}`
      }
      assert.ok(shown !== undefined)
      context.diagnostic(shown)
    })
  }
})
