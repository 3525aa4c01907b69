import { Session } from 'node:inspector/promises'
import type { Profiler } from 'node:inspector'
import { basename } from 'node:path'
import { type Corpus, Recorder } from '../lib/corpus.ts'
import { drive, noTotals, openDetector } from '../lib/drive.ts'
import type { TrainedRelease } from '../lib/release.ts'
import type { Table } from '../lib/result.ts'

/** Functions of pipeline.ts and detector.ts that stand for a stage; a sample counts to the innermost one above it. */
const STAGES: Readonly<Record<string, string>> = {
  decode: '1 decode and validate',
  identify: '2 identify (slot, names, policy)',
  features: '3, 4 features and baseline read',
  score: '5, 6 autoencoder and score',
  alert: '7, 8 risk and alert',
  after: '4 observe and learn',
  emit: '9 scored row',
  packSlot: 'packed slots',
  process: 'around (records, commit)',
}

export interface StageCosts {
  readonly table: Table
  readonly values: Readonly<Record<string, number>>
  readonly hot: readonly { readonly function: string; readonly us: number }[]
}

/**
 * Cost per stage in µs per event, by V8's sampling profiler over the shipped code: nothing is changed to be measured,
 * inlined functions count where they were written. The total is wall clock of the same run.
 */
export const stageTable = async (corpus: Corpus, release: TrainedRelease, from: number, to: number): Promise<StageCosts> => {
  const recorder = new Recorder(corpus, 1)
  const detector = openDetector(1, [release], corpus.identities.length * 2)
  drive(detector, recorder.take(0, from), 2_000, noTotals())
  drive(detector, recorder.control(release.control.controlId, release.control), 1, noTotals())
  const records = recorder.take(from, to)
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 200 })
  await session.post('Profiler.start')
  const t = performance.now()
  drive(detector, records, 2_000, noTotals())
  const us = ((performance.now() - t) * 1000) / (to - from)
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  return costs(profile, us)
}

const costs = (profile: Profiler.Profile, total: number): StageCosts => {
  const nodes = new Map(profile.nodes.map((n) => [n.id, n]))
  const parent = new Map<number, number>()
  for (const n of profile.nodes) for (const child of n.children ?? []) parent.set(child, n.id)
  const stageOf = (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parent.get(at)) {
      const { functionName, url } = nodes.get(at)!.callFrame
      if (functionName === '(garbage collector)') return 'garbage collection'
      const stage = STAGES[functionName]
      if (stage !== undefined && /\/(pipeline|detector|pack|score|alert)\.ts$/.test(url)) return stage
    }
    return 'outside'
  }
  const byStage = new Map<string, number>()
  const byFunction = new Map<string, number>()
  let all = 0
  for (const node of profile.nodes) {
    const hits = node.hitCount ?? 0
    if (hits === 0) continue
    const stage = stageOf(node.id)
    if (stage === 'outside') continue
    all += hits
    byStage.set(stage, (byStage.get(stage) ?? 0) + hits)
    const { functionName, url, lineNumber } = node.callFrame
    const name = `${functionName} ${basename(url)}:${lineNumber + 1}`
    byFunction.set(name, (byFunction.get(name) ?? 0) + hits)
  }
  const cost = (hits: number): number => (hits / all) * total
  const order = [...Object.values(STAGES), 'garbage collection'].filter((s) => byStage.has(s))
  const values = Object.fromEntries(order.map((s) => [s, cost(byStage.get(s)!)]))
  const hot = [...byFunction]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 16)
    .map(([name, hits]) => ({ function: name, us: cost(hits) }))
  const table: Table = {
    title: 'Cost per stage',
    columns: ['stage', 'µs per event', 'share'],
    rows: [
      ...order.map((s) => [s, values[s]!.toFixed(2), `${((100 * byStage.get(s)!) / all).toFixed(0)} %`]),
      ['all', total.toFixed(2), ''],
    ],
    notes: [
      'Sampled every 200 µs over the shipped code, one shard, chunks of 2,000; the profiler itself costs a little.',
      `Heaviest functions, µs per event: ${hot.map((h) => `${h.function} ${h.us.toFixed(2)}`).join(', ')}.`,
    ],
  }
  return { table, values: { ...values, all: total }, hot }
}
