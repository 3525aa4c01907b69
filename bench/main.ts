// npm run bench -- <name> [--json] | all [--force] | report
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { isHit, type Measured, measureAndStore, readStored, type Stored } from './lib/result.ts'
import { sourceHash } from './lib/paths.ts'
import { printResult, writeReport } from './report.ts'

/** Each bench is loaded only when it runs, in a process of its own where memory is measured. */
const BENCHES: Readonly<Record<string, (args: readonly string[]) => Promise<() => Promise<Measured>>>> = {
  core: async () => (await import('./core/core.ts')).core,
  flat: async () => (await import('./flat/flat.ts')).flat,
  peers: async () => (await import('./peers/peers.ts')).peers,
  detection: async (args) => (await import('./detection/detection.ts')).detection(args),
  kafka: async () => (await import('./kafka/kafka.ts')).kafka,
  recorder: async () => (await import('./recorder/recorder.ts')).recorder,
  standalone: async () => (await import('./standalone/standalone.ts')).standalone,
}

const USAGE = `npm run bench -- <name> [--json]

  core        detector core against bare JSON.parse, cost per stage
  flat        cost and memory at 5,000, 100,000 and 1,000,000 identities; a flood under a cap
  peers       River HalfSpaceTrees and PyOD on the same vectors
  detection   recall, false alerts, agentdyn, cloudtrail, adbench; parts may be named; --params FILE: an unseen company
  kafka       a real broker: worker against a plain transactional loop, source to alert, take-over, two workers
  recorder    Kafka to ClickHouse against bare inserts of the same blocks
  standalone  HTTP in to row and alert readable, a real process
  all         every bench whose stored result is older than the sources; --force: every bench
  scale       docs/scale.md: what a load takes, computed from the stored results of kafka, recorder and flat
  report      bench/results.md and docs/scale.md from the stored results
`

/** What is read of the stored results: bench/results.md and, computed from the same figures, docs/scale.md. */
const writePages = async (): Promise<void> => {
  writeReport()
  ;(await import('./scale/scale.ts')).writeScale()
}

/** Sources that a result speaks of. */
const sources = (): string => sourceHash('packages', 'schemas/src', 'services', 'bench')

const runOne = async (name: string, rest: readonly string[], json: boolean): Promise<void> => {
  const bench = await BENCHES[name]!(rest)
  const made = sources()
  const stored = await measureAndStore(name, async () => {
    const measured = await bench()
    return { ...measured, values: { ...measured.values, sources: made } }
  })
  await writePages()
  if (!json) return printResult(stored)
  const bars = stored.bars.map((b) => ({ ...b, hit: b.measured === null ? null : isHit(b) }))
  console.log(JSON.stringify({ name, date: stored.date, ...stored.values, machine: stored.machine, bars }))
}

/** This process again with a collector that can be called, unless it has one. */
const again = (args: readonly string[]): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ['--expose-gc', '--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.url), ...args],
      { stdio: 'inherit' },
    )
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })

const runAll = async (force: boolean, json: boolean): Promise<number> => {
  const made = sources()
  const known = new Map(readStored().map((s: Stored) => [s.name, s]))
  let worst = 0
  for (const name of Object.keys(BENCHES)) {
    if (!force && known.get(name)?.values['sources'] === made) {
      process.stderr.write(`${name}: measured ${known.get(name)!.date} on these sources, kept\n`)
      continue
    }
    process.stderr.write(`${name} …\n`)
    worst = Math.max(worst, await again([name, ...(json ? ['--json'] : [])]))
  }
  await writePages()
  return worst
}

const main = async (argv: readonly string[]): Promise<number> => {
  const json = argv.includes('--json')
  const [name = '', ...rest] = argv.filter((a) => a !== '--json' && a !== '--force')
  if (name === 'scale') {
    ;(await import('./scale/scale.ts')).writeScale()
    return 0
  }
  if (name === 'report') {
    await writePages()
    return 0
  }
  if (name === 'all') return runAll(argv.includes('--force'), json)
  if (!Object.hasOwn(BENCHES, name)) {
    process.stderr.write(USAGE)
    return name === '' || name === '--help' ? 0 : 2
  }
  if ((globalThis as { gc?: () => void }).gc === undefined) return again(argv)
  await runOne(name, rest, json)
  return 0
}

process.exitCode = await main(process.argv.slice(2))
