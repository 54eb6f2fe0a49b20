/** The clinic as it was before it had its reaction `later`. */
import { domain } from '../../../src/index.ts'
import { Clinic } from './clinic.ts'

const { aggregates, projections, reactions } = Clinic

export const FormerClinic = domain({ aggregates, projections, reactions: { greeting: reactions.greeting } })
