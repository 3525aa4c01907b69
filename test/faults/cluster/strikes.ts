import { setTimeout as sleep } from 'node:timers/promises'
import { type Fault, LOST } from './faults.ts'
import type { WorkerProcess } from './process.ts'
import type { Deployment, Site } from './site.ts'
import type { Arm } from './trigger.ts'

/**
 * A worker that stands still is continued once another has committed in its place, or after `takenMs`. A broken scheme may wait
 * for ever, as nobody ends the transaction of the one that stands still.
 */
export const SOUND = { tries: 3, takenMs: 8_000, settleMs: 60_000 }
export const BROKEN: typeof SOUND = { tries: 1, takenMs: 3_000, settleMs: 10_000 }

/** A deployment while it is struck. */
export interface Run {
  readonly site: Site
  readonly deployment: Deployment
  readonly draw: (below: number) => number
  readonly patience: typeof SOUND
  /** State is written now and then, not with each chunk. */
  readonly snapshots: boolean
  readonly workers: WorkerProcess[]
  readonly spawn: () => WorkerProcess
}

const UP_MS = 60_000
const FIRE_MS = 5_000
/** Records between two looks: enough for a commit of every shard. */
const SIP = 24
const SIP_MS = 120

/** A worker that died is replaced at once, as an orchestrator does. */
const replace = (run: Run, dead: WorkerProcess): void => {
  const at = run.workers.indexOf(dead)
  if (at >= 0) run.workers[at] = run.spawn()
}

/** One of the workers that hold shards, drawn, as soon as there is another one that could take them. */
export const pick = async (run: Run): Promise<WorkerProcess | undefined> => {
  for (const until = performance.now() + UP_MS; performance.now() < until; await sleep(20)) {
    for (const worker of run.workers) if (!worker.isAlive()) replace(run, worker)
    const up = run.workers.filter((worker) => worker.isUp())
    const holders = up.filter(({ shards }) => shards.size > 0)
    if (up.length > 1 && holders.length > 0) return holders[run.draw(holders.length)]
  }
  return undefined
}

/** Feeds events until the promise is settled. */
const feedUntil = async <T>(run: Run, promise: Promise<T>): Promise<T> => {
  let open = true
  const settled = promise.finally(() => (open = false))
  while (open) {
    await run.deployment.feed(SIP)
    await Promise.race([settled, sleep(SIP_MS)])
  }
  return settled
}

/** A take-over is brought about by a commit that fails before it begins. */
const armsFor = (point: string, action: Arm['action'], hit: number): Arm[] => {
  const arm = { point, action, hit }
  return point.startsWith('acquire:')
    ? [
        { point: 'commit:begin', action: 'throw', hit: 1, quiet: true },
        { ...arm, hit: 1 },
      ]
    : [arm]
}

/** Waits until another worker has taken the shard and gone on with it. */
const taken = async (run: Run, shard: number): Promise<boolean> => {
  const { watch } = run.deployment
  const before = { takeOvers: watch.takeOvers(shard), position: watch.position(shard) }
  const other = (): boolean => watch.takeOvers(shard) > before.takeOvers && watch.position(shard) > before.position
  return feedUntil(run, watch.until(other, run.patience.takenMs))
}

const ANSWER_MS = 2_000

/** Takes an arm back. One that fired meanwhile may have stopped the worker, which then does not answer. */
const disarm = async (worker: WorkerProcess): Promise<void> => {
  const answer = worker.line(/^armed 0$/, ANSWER_MS)
  worker.send({ arm: [] })
  if ((await answer) === null) worker.signal('SIGCONT')
}

const atPoint = async (run: Run, fault: Extract<Fault, { kind: 'point' }>): Promise<boolean> => {
  const worker = await pick(run)
  if (worker === undefined) return false
  worker.send({ arm: armsFor(fault.point, fault.action, 1 + run.draw(3)) })
  const found = await feedUntil(run, worker.line(/^fired \S+ (\d+)$/, FIRE_MS))
  if (found === null) {
    await disarm(worker)
    return false
  }
  if (fault.action === 'kill') replace(run, worker)
  if (fault.action !== 'stop') return true
  const overtaken = await taken(run, Number(found[1]))
  worker.signal('SIGCONT')
  return overtaken
}

const answerLost = async (run: Run, fault: Extract<Fault, { kind: 'lost' }>): Promise<boolean> => {
  const { proxy } = run.site
  const before = proxy.lost()
  const worker = await pick(run)
  // Only a take-over initialises a producer.
  if (fault.answer === 'initialisation answer lost')
    worker?.send({ arm: [{ point: 'commit:begin', action: 'throw', hit: 1, quiet: true }] })
  proxy.loseAnswerTo(LOST[fault.answer])
  const until = performance.now() + FIRE_MS
  while (proxy.lost() === before && performance.now() < until) await feedUntil(run, sleep(50))
  return proxy.lost() > before
}

const killedAtRandom = async (run: Run): Promise<boolean> => {
  const worker = await pick(run)
  if (worker === undefined) return false
  await feedUntil(run, sleep(run.draw(400)))
  worker.signal('SIGKILL')
  await worker.gone
  replace(run, worker)
  return true
}

/** Workers leave and join again, faster than the group settles. */
const storm = async (run: Run): Promise<boolean> => {
  let joined = 0
  for (let i = 0; i < 4; i++) {
    const worker = await pick(run)
    if (worker === undefined) continue
    worker.send({ do: 'rejoin' })
    joined++
    await feedUntil(run, sleep(100 + run.draw(400)))
  }
  return joined > 1
}

const latency = async (run: Run): Promise<boolean> => {
  run.site.proxy.delay(20 + run.draw(180))
  await feedUntil(run, sleep(2_000))
  run.site.proxy.delay(0)
  return true
}

const brokerKilled = async (run: Run): Promise<boolean> => {
  await run.deployment.feed(4 * SIP)
  await sleep(run.draw(100))
  await run.site.broker.kill()
  await sleep(run.draw(500))
  await run.site.broker.restart()
  return true
}

/** Whether it came about. */
export const strike = (run: Run, fault: Fault): Promise<boolean> => {
  switch (fault.kind) {
    case 'point':
      return atPoint(run, fault)
    case 'lost':
      return answerLost(run, fault)
    case 'killed at a random time':
      return killedAtRandom(run)
    case 'rebalance storm':
      return storm(run)
    case 'latency':
      return latency(run)
    case 'broker killed':
      return brokerKilled(run)
  }
}
