/** Where the page is: in the address after `#`, so that every screen has a link of its own. */
import { signal } from '@preact/signals'

export { link, streamLink } from './links.ts'

export interface Place {
  readonly path: readonly string[]
  readonly query: URLSearchParams
}

/** The address of what is shown. The browser tells a change of it only later. */
let known = location.hash

function read(): Place {
  known = location.hash
  const [path = '', query = ''] = location.hash.slice(1).split('?')
  return { path: path.split('/').filter(Boolean).map(decoded), query: new URLSearchParams(query) }
}

/** What was cut or typed by hand may not be a part of an address. Then it is shown as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export const place = signal<Place>(read())
addEventListener('hashchange', () => {
  place.value = read()
})

/**
 * Goes to a place, without a step in the history of the browser if it is the same screen. Who has left that screen is
 * not called back.
 */
export function go(to: string, { isSame = false } = {}): void {
  if (isSame) {
    if (location.hash !== known) return
    history.replaceState(null, '', to)
    place.value = read()
  } else {
    location.hash = to
    known = location.hash
  }
}
