// The classical tabular sets (ADBench): the bare autoencoder scorer over seeds.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cached } from '../lib/cached.ts'
import { mean } from '../lib/numbers.ts'
import { ROOT, sharedData, sourceHash } from '../lib/paths.ts'
import type { Table } from '../lib/result.ts'

const SEEDS = [0, 1, 2]

interface TabularRun {
  readonly sets: Readonly<Record<string, number>>
  readonly mean_auroc: number
  readonly seconds: number
}

/** AUROC in percent of every set at one seed, measured in a process of its own. */
export const tabularRun = (seed: number): Promise<TabularRun> =>
  cached('adbench', [seed, sourceHash('packages/training/src', 'bench/detection/adbench.ts')], async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(ROOT, 'bench/detection/adbench.ts'), '--json', '--seed', String(seed)],
      { maxBuffer: 1 << 24 },
    )
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as TabularRun
  })

export const adbenchTable = async (): Promise<Table | null> => {
  if (sharedData('adbench') === null) return null
  const runs: TabularRun[] = []
  for (const seed of SEEDS) runs.push(await tabularRun(seed))
  const means = runs.map((run) => run.mean_auroc)
  const names = Object.keys(runs[0]!.sets)
  return {
    title: `Tabular sets (ADBench), mean AUROC of ${names.length} sets in percent`,
    columns: ['detector', 'mean AUROC', 'lowest to highest of the seeds'],
    rows: [
      ['perfect', '100.0', null],
      [
        `Plumbline, bare autoencoder scorer, mean of ${SEEDS.length} seeds`,
        mean(means).toFixed(1),
        `${Math.min(...means).toFixed(2)}–${Math.max(...means).toFixed(2)}`,
      ],
      ['MLP autoencoder (reference, same protocol, one seed)', '83.3', null],
      ['isolation forest (reference, same protocol, one seed)', '81.9', null],
      ['random', '50.0', null],
      ['null (all equal)', '50.0', null],
    ],
    notes: [
      `Half of the normal rows to train on, the rest and all anomalies to judge; training, whitening and kernel as shipped; seeds ${SEEDS.join(', ')}. Random and null by definition.`,
      `Per set, mean of the seeds: ${names.map((name) => `${name} ${mean(runs.map(({ sets }) => sets[name]!)).toFixed(1)}`).join(', ')}.`,
    ],
  }
}
