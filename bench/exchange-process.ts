/** Another process of a program's run: a child of `parallel-run.ts`, which tells it what to do and with whose end it ends. */
import { nodeEnvironment } from '../runtime/env/node-environment.ts'
import { GroupListener } from '../worker/parallel-group.ts'
import { type ProcessStart, type ProcessWord, peakMemory, runProcess } from './parallel-run.ts'

function tell(word: ProcessWord): void {
  process.send?.(word)
}

const listener = await GroupListener.open(nodeEnvironment())
process.once('disconnect', () => process.exit())
process.once('message', ({ index, urls, run }: ProcessStart) => {
  listener
    .join(index, urls)
    .then((group) => runProcess(run, group))
    .then(
      () => tell({ memoryMegabytes: peakMemory() }),
      (error: unknown) => tell({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
})
tell({ url: listener.url })
