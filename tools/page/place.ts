/** Where the page is: in the address after `#`, so that every screen has a link of its own. */
import { signal } from '@preact/signals'

export interface Place {
  readonly path: readonly string[]
  readonly query: URLSearchParams
}

function read(): Place {
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

/** The link to a place. */
export function link(
  path: readonly string[],
  query: Readonly<Record<string, string | readonly string[] | undefined>> = {},
): string {
  const set = Object.entries(query).flatMap(([name, value]) => [value ?? []].flat().map((each) => [name, each]))
  const search = new URLSearchParams(set).toString()
  return `#/${path.map(encodeURIComponent).join('/')}${search && `?${search}`}`
}

/** Goes to a place, without a step in the history of the browser if it is the same screen. */
export function go(to: string, { isSame = false } = {}): void {
  if (isSame) {
    history.replaceState(null, '', to)
    place.value = read()
  } else location.hash = to
}

export const streamLink = (aggregate: string, id: string, sequence?: number): string =>
  link(['stream', aggregate, id, ...(sequence === undefined ? [] : [String(sequence)])])
