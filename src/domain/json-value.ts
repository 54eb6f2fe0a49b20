/** The types of the values that JSON has. They are apart from `json.ts`, which makes them. */

export type Json = string | number | boolean | null | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}
