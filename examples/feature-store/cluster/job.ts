/** The feature store for a cluster: the same job, as the default export of a job file. */
import { featureStore } from '../job.ts'

export default featureStore
