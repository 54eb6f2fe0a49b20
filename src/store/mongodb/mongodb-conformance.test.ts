/** The conformance kit on databases of a server that answers as a replica set. */

import { conformanceByGroup } from '../../../test/support/servers/mongodb-place.ts'
import { findMongodb } from '../../../test/support/servers/mongodb-server.ts'
import { onServer } from '../../../test/support/servers/server.ts'

await onServer('MongoDB keeps the contract', findMongodb, conformanceByGroup)
