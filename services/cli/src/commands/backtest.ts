import type { FileFormat } from '@plumbline/adapters/files'
import { DEFAULT_DETECTION_CONFIG } from '@plumbline/schemas'
import type { Command } from 'commander'
import { backtestWords, STORED_LIMITS } from '../backtest/words.ts'
import { replayedConfig, settings, storedSettings } from '../backtest/settings.ts'
import { sinceTimeOf } from '../backtest/since.ts'
import { usageError } from '../exit.ts'
import { checkInputs } from '../inputs.ts'
import { FILE_FORMATS, oneOf } from '../options.ts'
import { type Output, report } from '../output.ts'
import { policyFlag } from '../policy/file.ts'
import { createProgress } from '../progress.ts'
import { examples, type Register } from '../register.ts'
import { openStore, type StoreFlags } from '../store.ts'

interface Flags extends StoreFlags {
  readonly since: string
  readonly set?: Readonly<Record<string, number>>
  readonly policy?: string
  readonly format?: FileFormat
  readonly tenant: string
}

export const registerBacktest: Register = (program, outputOf) => {
  program
    .command('backtest')
    .description(
      'What would have alerted with other settings: from stored scores, for thresholds and the daily ceiling, or exactly, by replay of files of events, for any setting. Nothing is changed.',
    )
    .argument('[files...]', 'files of events, plain or gzip: replayed twice, as deployments ship and with the settings')
    .option('--since <time>', 'alerts from then on: a time like 2026-11-01T00:00Z, or back from now, like 36h or 30d', '7d')
    .option(
      '--set <key=number>',
      'again for more. From stored scores: threshold (−log10 of the tail probability), alertBudgetPerDay; by replay: any detection setting (docs/config.md)',
      settings,
    )
    .option('--policy <file>', 'with files: a policy in YAML, in force from the first event on, tried against none')
    .option('--format <format>', `with files: ${FILE_FORMATS.join(', ')} (default: found from each file)`, oneOf(FILE_FORMATS))
    .option('--tenant <name>', 'with files: tenant of events that name none', 'default')
    .option('--data-dir <folder>', 'data folder (default: PLUMBLINE_DATA_DIR or data)')
    .option('--clickhouse <url>', 'a server instead of the embedded store (default: CLICKHOUSE_URL)')
    .addHelpText(
      'after',
      examples(
        'plumbline backtest --since 30d --set threshold=6',
        'plumbline backtest --since 2026-11-01T00:00Z --set threshold=4.5 --set alertBudgetPerDay=10 --json',
        'plumbline backtest --since 7d --set adoptAfterDays=3 november.jsonl.gz',
        'plumbline backtest --policy staging.policy.yaml march.jsonl.gz',
      ),
    )
    .action(async (files: string[], flags: Flags, command: Command) => {
      if (flags.set === undefined && flags.policy === undefined) throw usageError('nothing to try: name --set key=number or --policy')
      const output = outputOf(command)
      await (files.length === 0 ? fromStore(flags, output) : byReplay(files, flags, output))
    })
}

const settingsWords = (set: Readonly<Record<string, number>>): string =>
  Object.entries(set)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ')

const fromStore = async (flags: Flags, output: Output): Promise<void> => {
  if (flags.policy !== undefined) throw usageError('stored scores cannot answer for a policy: name the files of events to replay')
  const set = storedSettings(flags.set ?? {})
  const since = sinceTimeOf(flags.since, Date.now())
  const { backtestStored } = await import('../backtest/stored.ts')
  const store = await openStore(flags, 'reader')
  try {
    const found = await backtestStored(store, since, set)
    const ceiling = flags.set?.['alertBudgetPerDay'] === undefined ? { alertBudgetPerDay: set.alertBudgetPerDay } : {}
    const words = backtestWords(found, ['As it was', `With ${settingsWords({ ...flags.set, ...ceiling })}`])
    await report(output, found, `${words}\n\n${STORED_LIMITS}`)
  } finally {
    await store.close()
  }
}

const byReplay = async (files: readonly string[], flags: Flags, output: Output): Promise<void> => {
  checkInputs(files)
  if (files.includes('-')) throw usageError('events are replayed twice, which standard input cannot be: name files')
  const config = replayedConfig(flags.set ?? {})
  const sinceTime = sinceTimeOf(flags.since, Date.now())
  const [{ backtestReplayed }, policy] = await Promise.all([import('../backtest/replayed.ts'), policyFlag(flags.policy)])
  const progress = createProgress(output, 'replaying', 'events')
  const { format, tenant } = flags
  try {
    const shipped = { config: DEFAULT_DETECTION_CONFIG, policy: undefined }
    const found = await backtestReplayed({ files, format, tenant, sinceTime, progress }, shipped, { config, policy })
    progress.end()
    const tried = [settingsWords(flags.set ?? {}), flags.policy ?? ''].filter((part) => part !== '').join(', ')
    await report(output, { ...found, set: flags.set ?? {} }, backtestWords(found, ['As deployments ship', `With ${tried}`]))
  } finally {
    progress.end()
  }
}
