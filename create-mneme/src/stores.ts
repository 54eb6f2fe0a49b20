/** The stores that a project can have: what it installs for them, and what they need. */

export interface StoreChoice {
  readonly name: string
  readonly about: string
  /** The package of the driver, if there is one. */
  readonly driver?: string
  /** What has to be there before the project runs. */
  readonly needs?: string
}

const atUrl = (server: string, url: string): string => `Start ${server}, and set DATABASE_URL if it is not at ${url}.`

/** The first one is the default. */
export const stores: readonly StoreChoice[] = [
  { name: 'sqlite', about: 'a SQLite file; nothing to install' },
  { name: 'file', about: 'readable files in a folder; one process at a time' },
  {
    name: 'postgres',
    about: 'PostgreSQL',
    driver: 'pg',
    needs: atUrl('PostgreSQL', 'postgres://localhost/bank'),
  },
  {
    name: 'mongodb',
    about: 'MongoDB',
    driver: 'mongodb',
    needs: atUrl('MongoDB', 'mongodb://localhost/bank'),
  },
  {
    name: 'nats',
    about: 'NATS JetStream',
    driver: '@nats-io/transport-node',
    needs: atUrl('a NATS server with JetStream', 'nats://localhost'),
  },
]
