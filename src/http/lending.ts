/** Which domain answers a request: the only one, or that of a tenant, which is kept open for as long as that takes. */
import { insideOf } from '../application/inside.ts'
import { HttpError } from '../domain/error.ts'
import { refuseOption } from '../domain/options.ts'
import { startTimer, stopTimer } from '../runtime/timers.ts'
import { hooked, type Lend, type Shared } from './exchange.ts'
import type { Lending } from './options.ts'

/** @throws DefinitionError `OPTION_INVALID` */
export function lendingOf(bank: unknown, shared: Shared): Lend {
  const { tenant } = shared.settings
  if (isLending(bank)) {
    const expected = 'a function that says whose domain a request is for, because there are many'
    return tenant === undefined ? refuseOption('tenant', expected, tenant) : lentBy(bank, tenant, shared)
  }
  const service = { ...shared, bank, inside: insideOf(bank) }
  if (tenant !== undefined) refuseOption('tenant', 'left out, because there is one domain', tenant)
  return (_, answer) => answer(service)
}

const isLending = (bank: any): bank is Lending<unknown> =>
  typeof bank?.use === 'function' && typeof bank.wake === 'function'

function lentBy(tenants: Lending<unknown>, tenantOf: NonNullable<Shared['settings']['tenant']>, shared: Shared): Lend {
  return async (sent, answer) => {
    const tenant = await hooked('tenant', () => tenantOf(sent))
    if (tenant instanceof Response) return tenant
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    const { timeoutMs } = shared.settings
    let isLate = false
    const late = () => {
      isLate = true
      reject(new HttpError('REQUEST_TIMED_OUT', { timeoutMs }))
    }
    // From here on the request has its own limits.
    const timer = startTimer(late, timeoutMs)
    const work = async (bank: unknown) => {
      stopTimer(timer)
      // Its sender was told that nothing was done.
      if (isLate) return
      const held: Promise<void>[] = []
      const hold = (isOver: Promise<void>) => void held.push(isOver)
      resolve(await answer({ ...shared, bank, inside: insideOf(bank), hold }))
      // A stream goes on after its response has begun.
      await Promise.all(held)
    }
    tenants.use(tenant, work).catch((error: unknown) => {
      stopTimer(timer)
      reject(error)
    })
    return promise
  }
}
