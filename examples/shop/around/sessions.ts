/** Many customers go through the shop, each by a script that checks every answer. */
import assert from 'node:assert/strict'
import { openFront } from './front.ts'
import { clientOf, playSession } from './session.ts'

export interface SessionsOptions {
  /** What `--store` takes. */
  readonly store: string
  readonly sessions: number
  /** How many customers are in the shop at the same time. */
  readonly atOnce: number
  /** After how many sessions one of the two processes is killed, again and again. */
  readonly killEvery?: number
  readonly onPlayed?: (played: number) => void
}

/** Returns how often a process was killed. @throws AssertionError at the first answer that is not true */
export async function playSessions(options: SessionsOptions): Promise<number> {
  const { store, sessions, atOnce, killEvery = Number.POSITIVE_INFINITY, onPlayed } = options
  await using front = await openFront(store)
  const [run, client] = [Date.now().toString(36), clientOf(front.url)]
  const cake = `cake of ${run}`
  await client.ask(200, 'POST', `/products/${cake}/stock`, { quantity: sessions, cents: 300 })
  let [begun, played, kills] = [0, 0, 0]
  const customers = Array.from({ length: atOnce }, async () => {
    while (begun < sessions) {
      await playSession(front.url, `${run}.${begun++}`, cake)
      if (++played % killEvery === 0 && played < sessions && front.kill()) kills++
      onPlayed?.(played)
    }
  })
  await Promise.all(customers)
  await client.left(cake, 0)
  assert.deepEqual(
    [...front.paid.values()],
    Array.from({ length: sessions }, () => 1300),
    'each has paid once',
  )
  return kills
}
