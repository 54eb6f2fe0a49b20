/**
 * Which requests the studio answers. It shows whole logs, so only the person who has started it may look, from a
 * browser on the same machine. Another page in that browser can send requests here, and a name that it controls can
 * lead here (DNS rebinding). So the name in the request must be one of this machine, no other page may ask, and a token
 * is needed that was printed where the studio was started. Only the files of the page, which show nothing, are for
 * everybody.
 *
 * The token is in a header. A cookie would not do: a browser sends it to every server of the same machine, whatever its
 * port is, and with requests that another page has made.
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
  /** Why a request is refused, whoever sends it. */
  refusal(knock: Knock): Refusal | undefined
  /** Why a request is refused that does not bring the token. */
  stranger(knock: Pick<Knock, 'headers'>): Refusal | undefined
}

const names = ['127.0.0.1', 'localhost', '[::1]']

export function guard(token: string, port: number): Guard {
  const hosts = new Set(names.map((name) => `${name}:${port}`))
  const wanted = digest(token)
  return {
    refusal({ method, headers }) {
      const { host, origin } = headers
      if (host === undefined || !hosts.has(host.toLowerCase()))
        return no(403, 'HOST_REFUSED', 'The studio answers only to the address that it has printed')
      if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`)
        return no(403, 'ORIGIN_REFUSED', 'Another page may not ask the studio')
      const site = headers['sec-fetch-site']
      if (site !== undefined && site !== 'same-origin' && site !== 'none')
        return no(403, 'ORIGIN_REFUSED', 'Another page may not ask the studio')
      if (!['GET', 'HEAD', 'POST'].includes(method)) return no(405, 'METHOD_REFUSED', 'The studio has no such method')
      return undefined
    },
    stranger({ headers }) {
      const given = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
      if (given !== undefined && timingSafeEqual(digest(given), wanted)) return undefined
      return no(401, 'TOKEN_NEEDED', 'Open the address that mneme studio has printed: it has a token')
    },
  }
}

const no = (status: Refusal['status'], code: string, message: string): Refusal => ({ status, code, message })

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

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
