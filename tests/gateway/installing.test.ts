/** A process that is asked about a dataflow which its threads do not know yet says that it has to be asked again. */
import { expect, test } from 'vitest'
import { int32 } from '../../runtime/data/column-type.ts'
import type { MillraceError } from '../../runtime/error.ts'
import type { OutputShape } from '../../runtime/protocol/thread.ts'
import { GatewayResponder } from '../../worker/process/gateway-responder.ts'
import type { Answer, ServiceMessage } from '../../worker/process/peer-service.ts'
import type { ProcessView } from '../../worker/process/process-view.ts'
import { outputShape } from './fake-group.ts'

test('a dataflow that is being installed', () => {
  const outputs: OutputShape[] = []
  const commands: string[] = []
  const view = {
    name: 'one',
    isLeased: () => true,
    generation: { generation: 3, first: 0, threads: 1, dataflows: new Map([[0, { dataflow: 0, outputs, failure: null }]]) },
    command: (_: number, { kind }: { kind: string }) => commands.push(kind),
    nextRequest: () => 1,
  } as unknown as ProcessView
  const responder = new GatewayResponder(view)
  const ask = (question: object): string => {
    let code = 'open'
    const answer = { end: (error?: MillraceError) => (code = error?.code ?? 'ended'), reply: () => undefined } as unknown as Answer
    responder.handle({ generation: 3, dataflow: 0, output: 'o', ...question } as unknown as ServiceMessage, answer)
    return code
  }
  const read = { kind: 'gateway-read', errors: false, asOf: 5, key: null, from: null, limit: 1, worker: null }
  const follow = { kind: 'gateway-follow', after: 5 }
  expect([ask(read), ask(follow)]).toEqual(['UNREACHABLE', 'UNREACHABLE'])
  expect(commands).toEqual([])
  outputs.push(outputShape('o', { k: int32 }))
  expect([ask(read), ask(follow)]).toEqual(['open', 'open'])
  expect(commands).toEqual(['read', 'follow'])
})
