/** Makes a failing plan smaller, as long as it still breaks the same promise. */
import { type FaultRates, faultNames } from './faults.ts'
import type { Plan } from './plan.ts'

/** Runs that are made for it, at most. */
const runsMax = 400

/**
 * The smallest plan that was found: first fewer actions, then fewer kinds of faults, then one process.
 *
 * @param fails whether a plan breaks the promise
 */
export async function minimised(plan: Plan, fails: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  let runs = 0
  let smallest = plan
  const accepts = async (candidate: Plan) => {
    if (runs >= runsMax) return false
    runs++
    const isSmaller = await fails(candidate)
    if (isSmaller) smallest = candidate
    return isSmaller
  }
  await withFewerActions(() => smallest, accepts)
  for (const name of faultNames) {
    if (smallest.rates[name] === 0) continue
    const rates: FaultRates = { ...smallest.rates, [name]: 0 }
    await accepts({ ...smallest, rates })
  }
  if (smallest.processes > 1) {
    const actions = smallest.actions.map((action) => ({ ...action, process: 0 }))
    await accepts({ ...smallest, processes: 1, actions })
  }
  await withFewerActions(() => smallest, accepts)
  return smallest
}

/** Leaves out halves, then quarters, down to single actions. */
async function withFewerActions(smallest: () => Plan, accepts: (plan: Plan) => Promise<boolean>): Promise<void> {
  for (let size = Math.ceil(smallest().actions.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < smallest().actions.length; ) {
      const plan = smallest()
      const actions = plan.actions.filter((_, i) => i < start || i >= start + size)
      if (!(await accepts({ ...plan, actions }))) start += size
    }
  }
}
