import { writeSync } from 'node:fs'

/** What happens to a process at a point: it dies, it stands still until somebody continues it, or the call fails. */
export type Action = 'kill' | 'stop' | 'throw'

export interface Arm {
  readonly point: string
  /** At which of its hits. */
  readonly hit: number
  readonly action: Action
  /** Only there to bring the worker to the next arm's point; it is no fault of the campaign. */
  readonly quiet?: boolean
}

/** Exit code of a worker that could not start because no broker answered. */
export const UNREACHABLE = 75

export const say = (line: string): void => void writeSync(1, `${line}\n`)

const SIGNALS = { kill: 'SIGKILL', stop: 'SIGSTOP' } as const
/** Longer than a signal takes to reach a process that sends it to itself: nothing of the protocol runs on meanwhile. */
const HOLD_MS = 50
const held = new Int32Array(new SharedArrayBuffer(4))

/** Arms fire one after the other, each once. */
export const createTrigger = () => {
  let arms: Arm[] = []
  let hits = 0
  return {
    arm(more: readonly Arm[]): void {
      arms = [...more]
      hits = 0
    },
    onPoint(point: string, shard: number): void {
      const arm = arms[0]
      if (arm === undefined || arm.point !== point || ++hits !== arm.hit) return
      arms = arms.slice(1)
      hits = 0
      if (arm.quiet !== true) say(`fired ${point} ${shard}`)
      if (arm.action === 'throw') throw new Error(`on purpose, at ${point}`)
      process.kill(process.pid, SIGNALS[arm.action])
      Atomics.wait(held, 0, 0, HOLD_MS)
    },
  }
}
