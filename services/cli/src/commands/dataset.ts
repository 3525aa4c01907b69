import type { Command } from 'commander'
import type { DatasetReport, Finding } from '@plumbline/training'
import type { TableRead } from '../dataset/read.ts'
import { PlumblineError } from '@plumbline/schemas'
import { EXIT, usageError } from '../exit.ts'
import { checkInputs } from '../inputs.ts'
import { counted, type Output, report } from '../output.ts'
import { createProgress } from '../progress.ts'
import { examples, type Register } from '../register.ts'

interface Flags {
  readonly identity?: string
  readonly time?: string
  readonly alerted?: string
  readonly ignore: readonly string[]
  readonly against?: string
  readonly release?: string
  readonly tenant: string
  readonly dataDir?: string
  readonly config?: string
}

const names = (text: string): string[] => text.split(',').map((name) => name.trim())

export const registerDataset: Register = (program, outputOf) => {
  program
    .command('dataset')
    .description('Tables that something is to be learned from.')
    .addHelpText('after', examples('plumbline dataset check rows.csv.gz'))
    .command('check')
    .argument('<file>', 'rows of numbers: CSV, TSV or NDJSON, plain or gzip; - is standard input')
    .description(
      'The checks that are made before every training, on any table: copies, drift, columns that say nothing, rows that alerted, clusters that one identity planted. Fails when one of them would keep a model from being used.',
    )
    .option('--identity <column>', 'whose a row is (default: identity, user, agent or account, if there is one)')
    .option('--time <column>', 'when a row was (default: event_time, time, timestamp or ts, if there is one)')
    .option('--alerted <column>', 'whether a row alerted or was withheld (default: flags, alerted or withheld, if there is one)')
    .option('--ignore <columns>', 'columns to leave out, separated by commas', names, [])
    .option('--against <file>', 'rows that were learned from before: how far each column drifted from them')
    .option('--release <id>', 'the same against the rows that a recorded release was trained on; for feature vectors as the store has them')
    .option('--tenant <name>', 'with --release: whose release', 'default')
    .option('--data-dir <folder>', 'with --release: of the instance, running or not (default: PLUMBLINE_DATA_DIR or data)')
    .option('--config <file>', 'with --release, when none runs: options of the instance in YAML or JSON, as for plumbline up')
    .addHelpText(
      'after',
      examples(
        'plumbline dataset check rows.csv.gz',
        'plumbline dataset check february.ndjson --against january.ndjson --identity account',
        'plumbline query --format JSONEachRow "SELECT identity, event_time, flags, features FROM scored_events" | plumbline dataset check -',
      ),
    )
    .action(async (file: string, flags: Flags, command: Command) => check(file, flags, outputOf(command)))
}

const check = async (file: string, flags: Flags, output: Output): Promise<void> => {
  checkInputs([file, ...(flags.against === undefined ? [] : [flags.against])])
  if (flags.against !== undefined && flags.release !== undefined) throw usageError('give --against or --release, not both')
  const [{ readDataset }, { checkDataset }] = await Promise.all([import('../dataset/read.ts'), import('@plumbline/training/checks')])
  const progress = createProgress(output, 'checking', 'rows')
  progress.phase(`reading ${file}`)
  const table = await readDataset(file, flags)
  const before = await referenceFor(table, flags, output)
  progress.phase('checking')
  const found = checkDataset(table.data, { before })
  progress.end()
  const all = withReading(found, table)
  await report(output, { file, ...all, ignored: table.ignored }, wordsOf(file, all, table))
  if (all.verdict === 'failed') process.exitCode = EXIT.failure
}

/** Columns that are others have nothing to be compared with: as the checks then say. */
const OTHERS = new Float32Array(0)

/** How the columns were spread before; undefined when nothing was named to compare with. */
const referenceFor = async (table: TableRead, flags: Flags, output: Output): Promise<Float32Array | undefined> => {
  const [{ isFeatureTable, readDataset }, { referenceOf }] = await Promise.all([
    import('../dataset/read.ts'),
    import('@plumbline/training/checks'),
  ])
  if (flags.against !== undefined) {
    const { data } = await readDataset(flags.against, flags)
    return data.names.join('\n') === table.data.names.join('\n') ? referenceOf(data.rows, data.names.length) : OTHERS
  }
  if (flags.release === undefined) return undefined
  const [{ fetchRelease }, { unpackRelease }] = await Promise.all([import('./release.ts'), import('@plumbline/detector/release')])
  const { artifact } = await fetchRelease(flags.tenant, flags.release, flags, output)
  const release = unpackRelease(Buffer.from(artifact, 'base64'))
  if (!release.has('reference'))
    throw new PlumblineError(
      'RELEASE_WITHOUT_REFERENCE',
      `release ${flags.release} does not tell how its rows were spread: it is of statistics alone, or of an older version. Name one that plumbline release list calls a model`,
    )
  return isFeatureTable(table.data) ? release.section('reference') : OTHERS
}

/** The report with what reading the file found; an identity that is behind a cluster is named. */
const withReading = (found: DatasetReport, { findings, identities }: TableRead): DatasetReport => {
  const named = found.findings.map((finding): Finding => {
    const name = identities[finding.numbers['identityHash'] ?? -1]
    return name === undefined ? finding : { ...finding, words: `${finding.words.slice(0, -1)}; the one with the most of them is ${name}.` }
  })
  const all = [...named.filter((f) => f.severity === 'severe'), ...findings, ...named.filter((f) => f.severity !== 'severe')]
  return { ...found, findings: all, verdict: found.verdict === 'passed' && findings.length > 0 ? 'warned' : found.verdict }
}

const SIGNS = { severe: 'FAILED ', warning: 'warning', note: 'note   ' } as const
const VERDICTS = {
  passed: 'passed',
  warned: 'passed, with warnings',
  failed: 'failed: a model trained on it would not be put into use',
} as const

const wordsOf = (file: string, found: DatasetReport, { ignored }: TableRead): string =>
  [
    `${file}: ${counted(found.rows, 'row')} of ${counted(found.columns, 'column')} ${VERDICTS[found.verdict]}.`,
    ...found.findings.map(({ severity, check: name, words }) => `  ${SIGNS[severity]}  ${name}: ${words}`),
    ...found.skipped.map((words) => `  skipped  ${words}`),
    ...(ignored.length === 0
      ? []
      : [`  ignored  ${ignored.slice(0, 10).join(', ')}${ignored.length > 10 ? ` and ${ignored.length - 10} more` : ''}`]),
    found.blindSpots,
  ].join('\n')
