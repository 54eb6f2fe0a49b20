/**
 * Which requests the studio answers. It shows whole logs, so only the person who has started it may look, from a
 * browser on the same machine. Another page in that browser can send requests here, and a name that it controls can
 * lead here (DNS rebinding). So the name in the request must be one of this machine, no other page may ask, and a token
 * is needed that was printed where the studio was started. A request with a body must say that it comes from the page
 * itself, or bring the token in a header, which no other page can set.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export interface Knock {
  readonly method: string
  readonly headers: IncomingHttpHeaders
}

/** A request that is refused: its status, and what to do. */
export interface Refusal {
  readonly status: 401 | 403 | 405
  readonly code: string
  readonly message: string
}

export interface Guard {
  /** Why a request is refused; `undefined` if it is answered. */
  refusal(knock: Knock): Refusal | undefined
  /** Whether an address has the token. The answer then sets the cookie. */
  brings(url: URL): boolean
  /** The value of `Set-Cookie`. */
  readonly cookie: string
}

const names = ['127.0.0.1', 'localhost', '[::1]']

export function guard(token: string, port: number): Guard {
  const hosts = new Set(names.map((name) => `${name}:${port}`))
  const wanted = digest(token)
  // Cookies do not know ports, so that of another studio must have another name.
  const cookieName = `mneme_studio_${port}`
  const isToken = (given: string | undefined | null) =>
    given !== undefined && given !== null && timingSafeEqual(digest(given), wanted)
  return {
    cookie: `${cookieName}=${token}; HttpOnly; SameSite=Strict; Path=/`,
    brings: (url) => isToken(url.searchParams.get('token')),
    refusal({ method, headers }) {
      const { host, origin, authorization } = headers
      if (host === undefined || !hosts.has(host.toLowerCase()))
        return no(403, 'HOST_REFUSED', 'The studio answers only to the address that it has printed')
      if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`)
        return no(403, 'ORIGIN_REFUSED', 'Another page may not ask the studio')
      const site = headers['sec-fetch-site']
      // A link on another page may lead here, but then the browser sends no cookie.
      if (site !== undefined && site !== 'same-origin' && site !== 'none')
        return no(403, 'ORIGIN_REFUSED', 'Another page may not ask the studio')
      const isReading = method === 'GET' || method === 'HEAD'
      if (!isReading && method !== 'POST') return no(405, 'METHOD_REFUSED', 'The studio has no such method')
      if (isToken(/^Bearer (.+)$/.exec(authorization ?? '')?.[1])) return undefined
      if (!isReading && origin === undefined)
        return no(403, 'ORIGIN_REFUSED', 'Only the page of the studio may send something')
      if (cookiesIn(headers.cookie, cookieName).some(isToken)) return undefined
      return no(401, 'TOKEN_NEEDED', 'Open the address that mneme studio has printed: it has a token')
    },
  }
}

const no = (status: Refusal['status'], code: string, message: string): Refusal => ({ status, code, message })

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** All of them, because another program on this machine can set one of the same name. */
function cookiesIn(header: string | undefined, name: string): readonly string[] {
  const pairs = (header ?? '').split(';').map((part) => part.trim().split('='))
  return pairs.filter(([key]) => key === name).map(([, value = '']) => value)
}

/** The headers of every answer: nothing from elsewhere is loaded, and nobody else may show or read it. */
export const safeHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}
