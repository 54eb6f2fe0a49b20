/**
 * What the vocabulary infers and refuses: events, revisions, aggregates, projections.
 * Compiled, never run: every @ts-expect-error must be an error, and everything else must not.
 */
import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import { aggregate } from './aggregate.ts'
import { projection } from './code-projection.ts'
import { type EventOf, event, type NewEventOf } from './event.ts'
import type { JsonObject } from './json.ts'
import { reject } from './rejection.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equal<A, B>) => {}

// -- events: the input and output of their schemas, with any validator --------------------------
const Joined = event('Joined', z.object({ at: z.coerce.date(), nick: z.string().default('anon') }))
const Renamed = event('Renamed', v.object({ nick: v.pipe(v.string(), v.minLength(1)) }))
const Left = event('Left', type({ reason: "'bored' | 'busy'" }))
const Pinged = event('Pinged', z.object({}))

same<NewEventOf<typeof Renamed>['data'], { nick: string }>(true)
same<EventOf<typeof Joined>['data'], { at: Date; nick: string }>(true)
same<EventOf<typeof Left>['data'], { reason: 'bored' | 'busy' }>(true)
Pinged()
Left({ reason: 'bored' })
// @ts-expect-error data is required
Left()
// @ts-expect-error not one of the literals
Left({ reason: 'angry' })
// @ts-expect-error wrong type of data
Renamed({ nick: 1 })
// @ts-expect-error unknown property
Renamed({ nick: 'a', nik: 'b' })

// A schema keeps the type of its input. That of `z.coerce.date()` is `unknown`, because it accepts anything that
// `new Date` does; it can be named.
same<NewEventOf<typeof Joined>['data'], { at: unknown; nick?: string | undefined }>(true)
const Moved = event('Moved', z.object({ at: z.coerce.date<string | Date>() }))
same<NewEventOf<typeof Moved>['data'], { at: string | Date }>(true)
same<EventOf<typeof Moved>['data'], { at: Date }>(true)
Moved({ at: '2026-01-02' })
// @ts-expect-error neither a text nor a date
Moved({ at: 5 })

// -- upcasting: each step is checked against both of its schemas -----------------------------
const Placed = event('OrderPlaced', z.object({ total: z.number() }))
  .revise(z.object({ total: z.number(), currency: z.string() }), ({ total }) => ({ total, currency: 'EUR' }))
  .revise(z.object({ money: z.object({ cents: z.int(), currency: z.string() }) }), ({ total, currency }) => ({
    money: { cents: total * 100, currency },
  }))
same<EventOf<typeof Placed>['data'], { money: { cents: number; currency: string } }>(true)
Placed({ money: { cents: 100, currency: 'EUR' } })
// @ts-expect-error an event of the first revision can no longer be made
Placed({ total: 1 })
event('OrderPlaced', z.object({ total: z.number() }))
  // @ts-expect-error the upcast shape lacks the currency
  .revise(z.object({ total: z.number(), currency: z.string() }), ({ total }) => ({ total }))

// -- tags: kept by a revision that still has the data for them --------------------------------
const Tagged = event('Tagged', z.object({ city: z.string() })).tagged(({ city }) => [city])
Tagged.revise(z.object({ city: z.string(), zip: z.string() }), ({ city }) => ({ city, zip: '' }))
// @ts-expect-error the tags are made from a city
Tagged.revise(z.object({ zip: z.string() }), () => ({ zip: '' }))
Tagged.tagged(() => [])
  .revise(z.object({ city: z.string(), zip: z.string() }), ({ city }) => ({ city, zip: '' }))
  .tagged(({ zip }) => [zip])

// -- aggregate: state, data and decisions are inferred --------------------------------------------
type Room = { members: string[]; status: 'empty' | 'full' }
const base = aggregate('room', (): Room => ({ members: [], status: 'empty' }))
const room = base
  .on(Joined, (state, data, event) => {
    same<typeof state, Room>(true)
    same<typeof data, { at: Date; nick: string }>(true)
    const named: 'Joined' = event.type
    same<typeof named, typeof event.type>(true)
    return { ...state, members: [...state.members, data.nick], status: 'full' }
  })
  .on(Left, (state) => ({ ...state, members: [], status: 'empty' }))
  .on(Pinged)
  .command('join', z.object({ nick: z.string() }), (state, input, { now, commandId, metadata, tags }) => {
    same<typeof input, { nick: string }>(true)
    same<[typeof commandId, typeof metadata, typeof tags], [string, JsonObject, readonly string[]]>(true)
    if (state.members.includes(input.nick)) return reject('Taken', { nick: input.nick })
    if (state.members.length > 9) return reject('Full')
    return [Joined({ at: now, nick: input.nick }), Pinged()]
  })
  .command('leave', v.object({ reason: v.picklist(['bored', 'busy']) }), (_, { reason }) => Left({ reason }))
  .command('ping', type({}), () => Pinged())
  .command('nothing', z.object({}), () => undefined)

// @ts-expect-error a state that does not exist
base.on(Left, (state) => ({ ...state, status: 'closed' }))
// @ts-expect-error a misspelt property
base.on(Left, (state) => ({ ...state, memberz: [] }))
// @ts-expect-error a missing property
base.on(Left, () => ({ status: 'empty' }))
// @ts-expect-error data that the event does not have
base.on(Left, (state, { nick }) => ({ ...state, members: [nick] }))
// @ts-expect-error an event that the aggregate has no `on` for
base.on(Left).command('rename', z.object({ nick: z.string() }), (_, { nick }) => Renamed({ nick }))
// @ts-expect-error an event with the right type that its kind did not make, so its data may be wrong
base.on(Left).command('leave', z.object({}), () => ({ type: 'Left', data: { reason: 'angry' } }))
// @ts-expect-error input that the command does not have
base.on(Left).command('leave', z.object({}), (_, { reason }) => Left({ reason }))
// @ts-expect-error decisions are synchronous: effects belong before the command or after the event
base.on(Left).command('leave', z.object({}), async () => Left({ reason: 'busy' }))

// -- projection -------------------------------------------------------------------------------------------
const Deposited = event('MoneyDeposited', z.object({ amount: z.int().positive() }))
const Withdrawn = event('MoneyWithdrawn', z.object({ amount: z.int().positive() }))
projection('sums', () => ({ sum: 0 }))
  .on(Deposited, (row, { amount }) => ({ sum: row.sum + amount }))
  // @ts-expect-error not a number
  .on(Withdrawn, (row, { amount }) => ({ sum: `${row.sum - amount}` }))
projection('sums', () => ({ sum: 0 }))
  // @ts-expect-error a misspelt property
  .on(Deposited, (row, { amount }) => ({ ...row, sums: row.sum + amount }))
void room
