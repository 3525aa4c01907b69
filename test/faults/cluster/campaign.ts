import { type Fault, type Mix, createDraw, faultsOf, nameOf, needsSnapshots, shuffled } from './faults.ts'
import { type Verdict, judge } from './oracle.ts'
import { type WorkerProcess, spawnWorker } from './process.ts'
import { type Site, openDeployment } from './site.ts'
import { BROKEN, type Run, SOUND, pick, strike } from './strikes.ts'
import type { WorkerPlan } from './worker.ts'

export interface CampaignOptions {
  readonly seed: number
  readonly mix: Mix
  /** How often the whole mix. Default once. */
  readonly rounds?: number
  /** One transactional id per worker instead of per shard: the negative control. */
  readonly broken?: boolean
  readonly onProgress?: (text: string) => void
}

export interface CampaignResult {
  /** How often each fault took place, by its name. */
  readonly fired: ReadonlyMap<string, number>
  readonly faults: number
  readonly verdict: Verdict
  readonly seconds: number
}

/** Deployments of one campaign draw differently. */
const NEXT_SEED = 1_000_003
const WORKERS = 3
const SESSION_MS = 1_000
const SNAPSHOT_SECONDS = 2
const REST = 1_000
/** Faults of one deployment, and how much of its log it gets meanwhile; then another one goes on with the rest of them. */
const PER_DEPLOYMENT = 36
const ENOUGH = 0.95

interface Campaign extends Run {
  readonly fired: Map<string, number>
  readonly failures: string[]
}

const startRun = async (site: Site, { seed, broken = false }: CampaignOptions, fired: Map<string, number>): Promise<Campaign> => {
  const deployment = await openDeployment(site)
  const failures: string[] = []
  // One deployment writes state with each chunk, the next now and then.
  const snapshots = seed % 2 === 0
  let made = 0
  const plan: Omit<WorkerPlan, 'id'> = {
    brokers: [site.proxy.address],
    prefix: deployment.prefix,
    sessionMs: SESSION_MS,
    chunkRecords: 25,
    snapshotSeconds: snapshots ? SNAPSHOT_SECONDS : 0,
    requestBytes: 16_384,
    broken,
  }
  const spawn = (): WorkerProcess => spawnWorker({ ...plan, id: `${++made}` }, (text) => failures.push(text))
  const workers = Array.from({ length: WORKERS }, spawn)
  return { site, deployment, draw: createDraw(seed), patience: broken ? BROKEN : SOUND, snapshots, fired, workers, failures, spawn }
}

const count = (run: Campaign, fault: Fault): void => {
  const name = nameOf(fault)
  run.fired.set(name, (run.fired.get(name) ?? 0) + 1)
}

/** Heals everything, lets the workers finish the whole log, so that nothing done to their state stays hidden, and ends them. */
const finish = async (run: Campaign): Promise<boolean> => {
  run.site.proxy.heal()
  await pick(run)
  while (run.deployment.fed() < 1) await run.deployment.feed(REST)
  const settled = await run.deployment.settled(run.patience.settleMs)
  for (const worker of run.workers) if (worker.isAlive()) worker.send({ do: 'end' })
  await Promise.all(run.workers.map(({ gone }) => gone))
  return settled
}

interface Planned {
  readonly fault: Fault
  /** How often it may still be put off. */
  readonly again: number
}

/** The next fault that can come about here; first those that cannot in every deployment. */
const nextOf = ({ snapshots }: Campaign, plan: readonly Planned[]): Planned | undefined =>
  (snapshots ? plan.find(({ fault }) => needsSnapshots(fault)) : undefined) ?? plan.find(({ fault }) => !needsSnapshots(fault))

/** Strikes until the deployment has had its share of faults, or of the log. What does not come about is tried again at the end. */
const strikeAll = async (run: Campaign, plan: Planned[], onProgress: (text: string) => void): Promise<void> => {
  for (let strikes = 0; strikes < PER_DEPLOYMENT && run.deployment.fed() < ENOUGH; strikes++) {
    const next = nextOf(run, plan)
    if (next === undefined) return
    const { fault, again } = next
    const begun = performance.now()
    let fired = false
    for (let i = 0; i < run.patience.tries && !fired; i++) fired = await strike(run, fault)
    plan.splice(plan.indexOf(next), 1)
    if (fired) count(run, fault)
    else if (again > 0) plan.push({ fault, again: again - 1 })
    onProgress(`${nameOf(fault)}: ${fired ? `${Math.round(performance.now() - begun)} ms` : `did not come about; ${standing(run)}`}`)
  }
}

const sum = (a: Verdict, b: Verdict): Verdict =>
  Object.fromEntries(Object.entries(a).map(([name, n]) => [name, n + b[name as keyof Verdict]])) as unknown as Verdict

/** One deployment from its first event to the comparison of all it committed with the oracle. */
const runDeployment = async (site: Site, options: CampaignOptions, plan: Planned[], fired: Map<string, number>): Promise<Verdict> => {
  const { broken = false, onProgress = () => {} } = options
  const run = await startRun(site, options, fired)
  try {
    await strikeAll(run, plan, onProgress)
    const settled = await finish(run)
    if (!settled && !broken) throw new Error(`The deployment stands still: ${standing(run)}`)
    if (run.failures.length > 0) throw new Error(run.failures.join('\n'))
    return await judge(site.kafka, run.deployment.names, site.log.artifacts)
  } finally {
    for (const worker of run.workers) worker.signal('SIGKILL')
    await Promise.all(run.workers.map(({ gone }) => gone))
    await run.deployment.close()
  }
}

/** Strikes deployments with one fault after the other while events flow, lets them finish, and compares them with the oracle. */
export const runCampaign = async (site: Site, options: CampaignOptions): Promise<CampaignResult> => {
  const { seed, mix, rounds = 1, broken = false, onProgress = () => {} } = options
  const begun = performance.now()
  const fired = new Map<string, number>()
  const draw = createDraw(seed)
  const again = broken ? 0 : 2
  const plan = Array.from({ length: rounds }, () => shuffled(faultsOf(mix), draw).map((fault) => ({ fault, again }))).flat()
  let verdict: Verdict | undefined
  for (let own = seed; plan.length > 0; own += NEXT_SEED) {
    const one = await runDeployment(site, { ...options, seed: own }, plan, fired)
    verdict = verdict === undefined ? one : sum(verdict, one)
    onProgress(`${plan.length} faults left; ${JSON.stringify(one)}`)
  }
  if (verdict === undefined) throw new Error('A campaign without a fault says nothing.')
  const faults = [...fired.values()].reduce((a, b) => a + b, 0)
  return { fired, faults, verdict, seconds: Math.round((performance.now() - begun) / 1000) }
}

const standing = ({ workers }: Campaign): string =>
  workers.map(({ id, lines }) => `worker ${id}: ${lines.slice(-5).join(' | ')}`).join('; ')
