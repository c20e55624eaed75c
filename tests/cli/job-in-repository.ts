/** A job that imports this package as its own examples do. */
import { int32, job, table } from '../../millrace.ts'

export default job('in-repository', { numbers: table({ n: int32 }) }, ({ numbers }) => ({ numbers }))
