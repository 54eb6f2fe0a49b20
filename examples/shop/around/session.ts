/** A customer's session, as a script. It checks every answer, and repeats a request that got none with the same key. */
import assert, { AssertionError } from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'

const triesMax = 5000

/** Tries again until there is a result. */
async function until<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const result = await attempt().catch((error: unknown) => {
      if (error instanceof AssertionError || tries === triesMax) throw error
    })
    if (result !== undefined) return result
    assert.ok(tries < triesMax, `nothing after ${tries} tries: ${attempt}`)
    await setTimeout(20)
  }
}

/** Sends requests as a browser does that remembers how far it has seen. */
export function clientOf(url: string) {
  const seenOf = new Map<string, string[]>()
  let position = 0
  const saw = (at: number) => {
    position = Math.max(position, at)
  }

  /** Sends a request, as often as it takes, and checks the status of the answer. */
  function ask(status: number, method: string, path: string, data?: object, given: Record<string, string> = {}) {
    const key = { 'Idempotency-Key': crypto.randomUUID(), ...given }
    const body = data === undefined ? null : JSON.stringify(data)
    return until(async () => {
      const answer = await fetch(url + path, { method, headers: { ...key, 'Mneme-Position': `${position}` }, body })
      const [said, etag] = [await answer.text(), answer.headers.get('ETag') ?? '']
      if ([502, 503, 504].includes(answer.status)) return undefined
      assert.equal(answer.status, status, `${method} ${path}: ${said}`)
      saw(Number(answer.headers.get('Mneme-Position') ?? 0))
      return { etag, body: JSON.parse(said) }
    })
  }

  /** Sends the same request twice at once, with one key. Both get the same answer. */
  async function twice(...[status, method, path, data]: Parameters<typeof ask>) {
    const key = { 'Idempotency-Key': crypto.randomUUID() }
    const [one, two] = await Promise.all([1, 2].map(() => ask(status, method, path, data, key)))
    assert.deepEqual(one, two)
    return one!.body
  }

  /** Looks at the live page of an order, from where it looked last, until it has shown exactly these events. */
  async function watch(order: string, ...types: readonly string[]): Promise<void> {
    const seen = seenOf.get(order) ?? []
    seenOf.set(order, seen)
    await until(async () => {
      const headers = { 'Last-Event-ID': `${seen.length}` }
      const page = (await fetch(`${url}${order}/events`, { headers })).body!.pipeThrough(new TextDecoderStream())
      let text = ''
      for await (const chunk of page) {
        const messages = `${text}${chunk}`.split('\n\n')
        text = messages.pop()!
        for (const message of messages) {
          const [, data, id] = /^data: (.*)\nid: (\d+)$/.exec(message)!
          const event = JSON.parse(data!)
          assert.equal(seen.push(event.type), Number(id), 'the live page left out or repeated an event')
          saw(event.position)
        }
        if (seen.length >= types.length) return true
      }
      return undefined
    })
    assert.deepEqual(seen, types)
  }

  /** Waits until no order holds anything of a product, and looks what is left of it. */
  async function left(product: string, available: number): Promise<void> {
    const free = await until(async () => {
      const { body } = await ask(200, 'GET', `/products/${product}`)
      return Object.keys(body.reserved).length === 0 ? body.available : undefined
    })
    assert.equal(free, available)
  }
  return { ask, twice, watch, left }
}

/** Plays the session of a customer with this name, who wants a piece of the cake among other things. */
export async function playSession(url: string, name: string, cake: string): Promise<void> {
  const { ask, twice, watch, left } = clientOf(url)
  const registration = { name, email: `${name}@example.org` }
  const { customer } = await twice(201, 'POST', '/customers', registration)
  const me = `/customers/${customer}`
  assert.deepEqual((await ask(200, 'GET', me)).body, registration)
  const taken = await ask(422, 'POST', '/customers', { name: 'Eve', email: ` ${name}@EXAMPLE.org` })
  assert.equal(taken.body.code, 'Taken')

  const [tea, nut] = [`tea of ${name}`, `nut of ${name}`]
  await twice(200, 'POST', `/products/${tea}/stock`, { quantity: 3, cents: 500 })
  await ask(200, 'POST', `/products/${nut}/stock`, { quantity: 1, cents: 100, holdMs: 1 })
  async function order(...items: readonly { product: string; quantity: number }[]): Promise<string> {
    const made = await twice(201, 'POST', `${me}/orders`, { address: 'Main Street 1', items })
    const { rows } = (await ask(200, 'GET', `${me}/orders?limit=1`)).body
    assert.equal(rows[0].key, made.order, 'the list does not show what was just ordered')
    return `${me}/orders/${made.order}`
  }

  const first = await order({ product: tea, quantity: 2 }, { product: cake, quantity: 1 })
  await watch(first, 'OrderPlaced', 'OrderReserved')
  const { etag, body } = await ask(200, 'GET', first)
  assert.deepEqual([body.phase, body.cents, body.address], ['reserved', 1300, 'Main Street 1'])
  await ask(200, 'PUT', `${first}/address`, { address: 'Side Street 2' }, { 'If-Match': etag })
  await ask(412, 'PUT', `${first}/address`, { address: 'Old Street 3' }, { 'If-Match': etag })

  const second = await order({ product: nut, quantity: 1 }, { product: tea, quantity: 2 })
  await watch(second, 'OrderPlaced', 'OrderClosed')
  assert.equal((await ask(200, 'GET', second)).body.reason, `${tea}: OutOfStock`)
  await left(nut, 1)
  const third = await order({ product: nut, quantity: 1 })
  await watch(third, 'OrderPlaced', 'OrderReserved', 'OrderClosed')
  assert.equal((await ask(422, 'POST', `${third}/payment`, { card: 'good' })).body.code, 'NotPayable')

  const soFar = ['OrderPlaced', 'OrderReserved', 'OrderAddressChanged', 'OrderPaymentBegun', 'OrderPaymentDeclined']
  await twice(202, 'POST', `${first}/payment`, { card: 'declined' })
  await watch(first, ...soFar)
  await twice(202, 'POST', `${first}/payment`, { card: name.endsWith('7') ? 'slow' : 'good' })
  await watch(first, ...soFar, 'OrderPaymentBegun', 'OrderPaid')

  const page = (await ask(200, 'GET', `${me}/orders?limit=2`)).body
  const rest = (await ask(200, 'GET', `${me}/orders?limit=2&after=${page.next}`)).body
  const listed = [...page.rows, ...rest.rows].map(({ key, row }) => `${me}/orders/${key} ${row.phase}`)
  assert.deepEqual([listed, rest.next], [[`${third} closed`, `${second} closed`, `${first} paid`], undefined])

  assert.equal((await ask(200, 'DELETE', me)).body.subject, customer)
  await ask(404, 'GET', me)
  const { phase, address } = (await ask(200, 'GET', first)).body
  assert.deepEqual([phase, address], ['paid', '[forgotten]'])
  await Promise.all([left(tea, 1), left(nut, 1)])
}
