/**
 * Claims of unique values: the value is the id of an aggregate, and so at most one owner has it at a time. It is the
 * half of a unique value that is the same for everyone; the guide's page *Unique values* has the other half.
 *
 * Tidy: inferred exports because the types of the commands and events come from the calls that make them.
 */
import { aggregate } from './aggregate.ts'
import { event } from './event.ts'
import { checkId } from './id.ts'
import { reject } from './rejection.ts'
import type { StandardSchemaV1 } from './standard-schema.ts'

/** Who owns a value, and how often it was claimed. The number tells a claim from earlier ones of the same owner. */
export interface ClaimState {
  readonly owner: string | undefined
  readonly claim: number
}

/**
 * Makes the aggregate of a kind of unique values, such as e-mail addresses or seats. Its id is the value, so bring the
 * value into one form first (`email.trim().toLowerCase()`).
 *
 *     const Emails = claims('email')
 *     const bank = await domain({ aggregates: { email: Emails.aggregate, customer: Customer } }).start()
 *     const { state } = await bank.email('ada@example.org').claim({ owner: 'c-1' }) // or CommandRejected 'Taken'
 *
 * - `claim({ owner })` is rejected with `Taken` if somebody else has the value. Repeated by the owner it does nothing.
 * - `release({ owner, claim })` frees the value, if it is still this claim that holds it. Otherwise it does nothing.
 *
 * @throws InputError `ID_INVALID`
 */
export function claims<const Name extends string>(name: Name) {
  checkId('the name of claims', name)
  const Claimed = event(`${name}.claimed`, owned)
  const Released = event(`${name}.released`, owned)
  return Object.freeze({
    Claimed,
    Released,
    aggregate: aggregate(name, (): ClaimState => ({ owner: undefined, claim: 0 }))
      .on(Claimed, (_, { owner, claim }) => ({ owner, claim }))
      .on(Released, ({ claim }) => ({ owner: undefined, claim }))
      .command('claim', owner, (state, { owner }) => {
        if (state.owner === owner) return undefined
        return state.owner === undefined ? Claimed({ owner, claim: state.claim + 1 }) : reject('Taken')
      })
      .command('release', owned, (state, { owner, claim }) =>
        state.owner === owner && state.claim === claim ? Released({ owner, claim }) : undefined,
      ),
  })
}

/** A schema of records with exactly these checks. The core has no validator of its own. */
function schemaOf<Shape>(
  parts: { readonly [Part in keyof Shape]: (value: unknown) => boolean },
): StandardSchemaV1<Shape> {
  const validate = (value: unknown): StandardSchemaV1.Result<Shape> => {
    if (typeof value !== 'object' || value === null) return { issues: [{ message: 'must be a record' }] }
    const names = Object.keys(parts) as (keyof Shape & string)[]
    const wrong = names.filter((name) => !parts[name]((value as Shape)[name]))
    if (wrong.length > 0) return { issues: wrong.map((name) => ({ path: [name], message: 'is missing or invalid' })) }
    return { value: Object.fromEntries(names.map((name) => [name, (value as Shape)[name]])) as Shape }
  }
  return { '~standard': { version: 1, vendor: 'mneme', validate } }
}

/** An owner is the id of something, such as a customer. */
function isOwner(value: unknown): boolean {
  try {
    checkId('an owner', value)
    return true
  } catch {
    return false
  }
}
const isClaim = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 1

const owner = schemaOf<{ readonly owner: string }>({ owner: isOwner })
const owned = schemaOf<{ readonly owner: string; readonly claim: number }>({ owner: isOwner, claim: isClaim })
