/**
 * The token of the studio. It comes with the address that was printed, and is kept for other tabs where only pages of
 * this very address and port can read it. It does not stay in the address: people copy addresses.
 */

const name = 'mneme studio token'

/** The tokens that may be right: that of the address, and the one that was kept. An old address may be opened again. */
const known = [taken(), kept()].filter((each) => each !== null)

/** A browser may keep nothing. Then the token is known in this tab only. */
function kept(): string | null {
  try {
    return localStorage.getItem(name)
  } catch {
    return null
  }
}

function taken(): string | null {
  const address = new URL(location.href)
  const token = address.searchParams.get('token')
  address.searchParams.delete('token')
  if (token !== null) history.replaceState(null, '', address)
  return token
}

/** Asks the server with the token. */
export async function asked(path: string, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    const token = known[0]
    const headers = new Headers(init.headers)
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
    const response = await fetch(path, { ...init, headers })
    if (response.status !== 401) {
      if (token !== undefined) keep(token)
      return response
    }
    // Another request may have learned already that the token is wrong.
    if (known[0] !== token) continue
    if (known.length < 2) return response
    known.shift()
  }
}

function keep(token: string): void {
  if (known.length === 1 && kept() === token) return
  known.splice(0, known.length, token)
  try {
    localStorage.setItem(name, token)
  } catch {
    // It is known in this tab.
  }
}
