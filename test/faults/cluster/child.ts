/**
 * A worker process of the campaign. Takes commands as lines of JSON on its stdin and ends with it; says on its stdout what
 * happened. Arguments: JSON of WorkerPlan.
 */
import { createInterface } from 'node:readline'
import { type Arm, UNREACHABLE, createTrigger, say } from './trigger.ts'
import { type WorkerPlan, startWorkerOf } from './worker.ts'

export type Command = { readonly arm: readonly Arm[] } | { readonly do: 'rejoin' | 'end' }

const plan = JSON.parse(process.argv[2] ?? '') as WorkerPlan
const trigger = createTrigger()
const mayHelpToTryAgain = (error: unknown): boolean =>
  error instanceof Error && ((error as { retryable?: unknown }).retryable === true || mayHelpToTryAgain(error.cause))

/** A worker that finds no broker ends, and whoever runs it starts it again. */
const start = (): ReturnType<typeof startWorkerOf> =>
  startWorkerOf(plan, trigger.onPoint).catch((error: unknown) => {
    if (!mayHelpToTryAgain(error)) throw error
    process.exit(UNREACHABLE)
  })
let running = start()
await running
say('up')

const rejoin = async (): Promise<void> => {
  await (await running).stop()
  running = start()
  await running
  say('rejoined')
}

const end = async (): Promise<void> => {
  await (await running).stop()
  say('ended')
  process.exit(0)
}

let turn: Promise<void> = Promise.resolve()
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line) as Command
    if ('arm' in command) {
      trigger.arm(command.arm)
      say(`armed ${command.arm.length}`)
    } else turn = turn.then(command.do === 'end' ? end : rejoin)
  })
  .on('close', () => process.exit(1))
