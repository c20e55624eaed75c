import { Stage, type StageOptions } from './stage.ts'

/** A cluster of w1, w2 and w3, each with a follower that is told up to so many milliseconds late, that runs a job `views`. */
export async function running(options: StageOptions = {}, follower = 10): Promise<Stage> {
  const stage = new Stage(options)
  for (const name of stage.names) stage.coordinate(name)
  await stage.run(0.5)
  for (const name of ['w1', 'w2', 'w3']) stage.join(name, { follower })
  await stage.deploy('views', { partitions: 4 })
  await stage.until('it runs', () => stage.runs('w1', 'w2', 'w3'))
  await stage.progress('views')
  await stage.run(0.3)
  return stage
}

/** Followers that had to begin anew. */
export function resets(stage: Stage): number {
  return [...stage.processes.values()].reduce((sum, process) => sum + process.resets, 0)
}

export function visible(stage: Stage, job: string): number {
  return stage.job(job)?.visible ?? 0
}
