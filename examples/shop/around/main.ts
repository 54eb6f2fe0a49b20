/**
 * `npm run shop`: opens the shop in two processes behind a round robin, and says what to try. With `--sessions`, many
 * customers go through it instead, and every answer is checked.
 */
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { detail, heading, say } from '../../bank/print.ts'
import { chosenStore, storeUsage } from '../../store-option.ts'
import { openFront } from './front.ts'
import { clientOf } from './session.ts'
import { playSessions } from './sessions.ts'

const usage = `npm run shop -- [--store STORE] [--port PORT]
npm run shop -- [--store STORE] --sessions COUNT [--at-once COUNT] [--kill-every COUNT]

${storeUsage}Two processes share the store, so memory and a folder are refused. Without it, the store is shop.db.
--sessions lets so many customers go through the shop, 20 at once, and checks every answer.
--kill-every kills one of the two processes (kill -9) each time so many of them have gone.
`
const text = { type: 'string' } as const
const options = { store: { ...text, default: 'shop.db' }, port: text, help: { type: 'boolean', short: 'h' } } as const
const counts = { sessions: text, 'at-once': text, 'kill-every': text } as const

function chosen() {
  try {
    const { values } = parseArgs({ options: { ...options, ...counts } })
    if (values.help) {
      process.stdout.write(usage)
      process.exit(0)
    }
    if (/^(memory$|file:)/.test(values.store)) throw new Error(`Two processes cannot share ${values.store}`)
    for (const name of ['sessions', 'at-once', 'kill-every'] as const) {
      if (!/^[1-9]\d*$/.test(values[name] ?? '1')) throw new Error(`--${name} is a whole number from 1`)
    }
    return values
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}`)
    process.exit(2)
  }
}

async function play(store: string, sessions: number, atOnce: number, killEvery: number): Promise<void> {
  heading(`${sessions} customers in the shop on ${chosenStore(store, ['--store', store]).place}`)
  const startedAt = Date.now()
  const onPlayed = (played: number) => {
    if (played % Math.ceil(sessions / 20) === 0) detail(`${played} have gone, ${Date.now() - startedAt} ms`)
  }
  const kills = await playSessions({ store, sessions, atOnce, killEvery, onPlayed })
  say(`Every answer was true. One of the processes was killed ${kills} times.`)
}

async function open(store: string, port: number): Promise<void> {
  const { place } = chosenStore(store, ['--store', store])
  await using front = await openFront(store, port)
  const { ask } = clientOf(front.url)
  await ask(200, 'POST', '/products/tea/stock', { quantity: 5, cents: 450 })
  const ada = { name: 'Ada', email: `ada.${Date.now()}@example.org` }
  const me = `/customers/${(await ask(201, 'POST', '/customers', ada)).body.customer}`
  const wanted = { address: 'Main Street 1', items: [{ product: 'tea', quantity: 2 }] }
  const order = `${me}/orders/${(await ask(201, 'POST', `${me}/orders`, wanted)).body.order}`
  const post = `curl -X POST -H 'Idempotency-Key: 1'`
  heading(`The shop is open, in two processes on ${place}`)
  say(`Ada has ordered tea. Her live page:  ${front.url}${order}/live\n
  ${post} ${front.url}${order}/payment -d '{ "card": "good" }'
  curl ${front.url}${order}
  curl ${front.url}${me}/orders
  curl ${front.url}/products/tea
  curl -X DELETE ${front.url}${me}\n
Close it with Ctrl-C.`)
  await once(process, 'SIGINT')
}

const { store, port, sessions, 'at-once': atOnce, 'kill-every': killEvery } = chosen()
if (sessions === undefined) await open(store, Number(port ?? 8080))
else await play(store, Number(sessions), Number(atOnce ?? 20), Number(killEvery ?? Number.POSITIVE_INFINITY))
