/** The types of data with personal fields: which fields there are, and what they hold. Lists are gone through. */
import type { Personal } from './personal.ts'

/** What has no fields to go into. */
type Leaf =
  | string
  | number
  | bigint
  | boolean
  | Date
  | null
  | undefined
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | Personal<any>

type IsAny<Type> = 0 extends 1 & Type ? true : false
/** The records in a value, also those in lists. */
type Inner<Value> = Value extends readonly (infer Item)[] ? Inner<Item> : Exclude<Value, Leaf>

/** The names of fields, such as `email`, `address.city`, or `contacts.email` for each item of a list. */
export type PersonalField<Data, Depth extends readonly 0[] = []> = Depth['length'] extends 5
  ? never
  : IsAny<Data> extends true
    ? string
    : Data extends unknown
      ? {
          [Name in keyof Data & string]:
            | Name
            | ([Inner<Data[Name]>] extends [never]
                ? never
                : `${Name}.${PersonalField<Inner<Data[Name]>, [...Depth, 0]>}`)
        }[keyof Data & string]
      : never

type Rest<Field, Name> = Field extends `${Name & string}.${infer Deeper}` ? Deeper : never
type Held<Value> = Value extends undefined ? undefined : never
type Present<Value> = Exclude<Value, undefined>

/** Data whose personal fields hold `Personal` values. */
export type WithPersonal<Data, Field extends string> =
  IsAny<Data> extends true
    ? any
    : Data extends Leaf
      ? Data
      : Data extends readonly unknown[]
        ? { [I in keyof Data]: WithPersonal<Data[I], Field> }
        : {
            [Name in keyof Data]: Name extends Field
              ? [Present<Data[Name]>] extends [Personal<any>]
                ? Data[Name]
                : Personal<Present<Data[Name]>> | Held<Data[Name]>
              : [Rest<Field, Name>] extends [never]
                ? Data[Name]
                : WithPersonal<Data[Name], Rest<Field, Name>>
          }

/** Data whose personal fields may hold plain values too, as the caller of a command gives them. */
export type MayBePersonal<Data, Field extends string> =
  IsAny<Data> extends true
    ? any
    : Data extends Leaf
      ? Data
      : Data extends readonly unknown[]
        ? { [I in keyof Data]: MayBePersonal<Data[I], Field> }
        : {
            [Name in keyof Data]: Name extends Field
              ? Data[Name] | Personal<Present<Data[Name]>>
              : [Rest<Field, Name>] extends [never]
                ? Data[Name]
                : MayBePersonal<Data[Name], Rest<Field, Name>>
          }
