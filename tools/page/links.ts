/** The addresses of places in the page. */
/** The link to a place. */
export function link(
  path: readonly string[],
  query: Readonly<Record<string, string | readonly string[] | undefined>> = {},
): string {
  const set = Object.entries(query).flatMap(([name, value]) =>
    [value ?? []].flat().map((each) => [name, each] as [string, string]),
  )
  const search = new URLSearchParams(set).toString()
  return `#/${path.map(encodeURIComponent).join('/')}${search && `?${search}`}`
}

export const streamLink = (aggregate: string, id: string, sequence?: number): string =>
  link(['stream', aggregate, id, ...(sequence === undefined ? [] : [String(sequence)])])
