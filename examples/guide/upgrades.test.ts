/** Two versions of a domain in one simulated world: code of docs/guide/testing.md, run as a test. */
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, projection } from '../../src/index.ts'
import { simulate } from '../../src/testing/index.ts'

// #region versions
const visit = z.object({ page: z.string() })
const Visited = event('Visited', visit)
const Site = aggregate('site', () => ({ visits: 0 }))
  .on(Visited, ({ visits }) => ({ visits: visits + 1 }))
  .command('visit', visit, (_, { page }) => Visited({ page }))
const Before = domain({ aggregates: { site: Site } })

// The next version stores where visitors come from, and counts the visits of each page.
const VisitedFrom = Visited.revise(z.object({ page: z.string(), from: z.string() }), ({ page }) => ({ page, from: '' }))
const SiteNow = aggregate('site', () => ({ visits: 0 }))
  .on(VisitedFrom, ({ visits }) => ({ visits: visits + 1 }))
  .command('visit', visit, (_, { page }) => VisitedFrom({ page, from: 'the web' }))
const Pages = projection('pages', () => ({ visits: 0 }))
  .on(VisitedFrom, ({ visits }) => ({ visits: visits + 1 }))
  .by(({ data }) => data.page)
const Now = domain({ aggregates: { site: SiteNow }, projections: { pages: Pages } })
// #endregion

// #region upgrades
test('no visit is lost while the next version is deployed', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    await simulate({
      domain: Before,
      upgrades: [Now],
      seed,
      command: (random) => ({
        aggregate: 'site',
        id: `site ${random.int(1, 2)}`,
        name: 'visit',
        data: { page: random.pick(['home', 'news']) },
      }),
      invariants: {
        'every visit is on its page': (end) => {
          const sum = (counts: Iterable<{ visits: number }>) => [...counts].reduce((all, { visits }) => all + visits, 0)
          return sum(end.states('site').values()) === sum(end.rows('pages').values() as never)
        },
      },
    })
  }
})
// #endregion
