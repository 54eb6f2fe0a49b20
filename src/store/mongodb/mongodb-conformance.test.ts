/** The contract of the port, on databases of a server that answers as a replica set. */

import { conformanceByGroup } from '../../../test/servers/mongodb-place.ts'
import { findMongodb } from '../../../test/servers/mongodb-server.ts'
import { onServer } from '../../../test/servers/server.ts'

await onServer('MongoDB keeps the contract', findMongodb, conformanceByGroup)
