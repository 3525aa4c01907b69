// Mean AUROC of the bare autoencoder scorer over the classical tabular sets (ADBench), read from the shared data folder.
// node bench/detection/adbench.ts [--json] [--seed N] [name …]
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { readTable, scoreTabular } from '@plumbline/training'

/** Probability that a random positive scores above a random negative; ties count half. In percent. */
export const auroc = (scores: Float32Array, positive: (row: number) => boolean): number => {
  const order = Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]!)
  let positives = 0
  let rankSum = 0
  for (let i = 0; i < order.length; ) {
    let j = i
    while (j < order.length && scores[order[j]!] === scores[order[i]!]) j++
    for (let k = i; k < j; k++) {
      if (!positive(order[k]!)) continue
      positives++
      rankSum += (i + j + 1) / 2
    }
    i = j
  }
  return (100 * (rankSum - (positives * (positives + 1)) / 2)) / (positives * (order.length - positives))
}

const folder = join(process.env['PLUMBLINE_SHARED_DATA'] ?? fileURLToPath(new URL('../../../shared/data', import.meta.url)), 'adbench')

const main = async (names: readonly string[], json: boolean, seed: number): Promise<void> => {
  if (!existsSync(folder)) {
    console.log(json ? JSON.stringify({ skipped: 'no shared data' }) : 'adbench: skipped, the shared data folder is not here')
    return
  }
  const suffix = '.train.csv.gz'
  const all = readdirSync(folder)
    .filter((f) => f.endsWith(suffix))
    .map((f) => f.slice(0, -suffix.length))
  const sets: Record<string, number> = {}
  const started = performance.now()
  for (const name of all.filter((n) => names.length === 0 || names.includes(n))) {
    const t0 = performance.now()
    const test = await readTable(join(folder, `${name}.test.csv.gz`))
    const scores = await scoreTabular(join(folder, `${name}${suffix}`), test, { seed })
    const value = auroc(scores, (row) => test.rows[(row + 1) * test.width - 1] === 1)
    sets[name] = Math.round(value * 100) / 100
    if (!json) console.log(`${name.padEnd(14)} ${value.toFixed(2).padStart(6)}  ${((performance.now() - t0) / 1000).toFixed(1)} s`)
  }
  const values = Object.values(sets)
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  const seconds = (performance.now() - started) / 1000
  if (json) console.log(JSON.stringify({ sets, mean_auroc: mean, seconds }))
  else console.log(`${'mean'.padEnd(14)} ${mean.toFixed(2).padStart(6)}  ${seconds.toFixed(1)} s, ${values.length} sets`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean', default: false }, seed: { type: 'string', default: '0' } },
    allowPositionals: true,
  })
  await main(positionals, values.json, Number(values.seed))
}
