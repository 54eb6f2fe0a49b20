/** Where the page of the studio is: what it does with the address of a browser, which is played here. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

/** What knows browsers has no types here. */
interface Page {
  go(to: string, options?: { readonly isSame?: boolean }): void
  readonly place: { readonly value: { readonly path: readonly string[] } }
}

/** An address whose changes are told later, as browsers do. */
function browser(hash: string) {
  let onChange = () => {}
  const location = { hash }
  const replaced: string[] = []
  const history = {
    replaceState(_: unknown, __: unknown, to: string) {
      replaced.push(to)
      location.hash = to
    },
  }
  const addEventListener = (_: string, listener: () => void) => {
    onChange = listener
  }
  Object.assign(globalThis, { location, history, addEventListener })
  return { location, replaced, tell: () => onChange() }
}

test('A screen that writes where it is does not call back somebody who has just left it', async () => {
  const { location, replaced, tell } = browser('#/stream/account/ada/1')
  const { go, place } = (await import(new URL('../../page/place.ts', import.meta.url).href)) as Page
  go('#/stream/account/ada/2', { isSame: true })
  assert.deepEqual(place.value.path, ['stream', 'account', 'ada', '2'])
  // A link was clicked, and the browser has not told it yet.
  location.hash = '#/what-if/account/ada/2'
  go('#/stream/account/ada/3', { isSame: true })
  tell()
  assert.deepEqual(place.value.path, ['what-if', 'account', 'ada', '2'])
  go('#/what-if/account/ada/3', { isSame: true })
  assert.deepEqual(replaced, ['#/stream/account/ada/2', '#/what-if/account/ada/3'])
  // What the page itself does is done in order.
  go('#/catalogue')
  go('#/catalogue?all', { isSame: true })
  tell()
  assert.deepEqual(place.value.path, ['catalogue'])
  assert.equal(location.hash, '#/catalogue?all')
})
