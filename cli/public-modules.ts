/** What a bundle gets when it asks for this package: the very modules that run here. */
import * as config from '../config.ts'
import * as files from '../files.ts'
import * as millrace from '../millrace.ts'
import * as testing from '../testing.ts'

export const publicModules: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['millrace', millrace],
  ['millrace/config', config],
  ['millrace/files', files],
  ['millrace/testing', testing],
])
