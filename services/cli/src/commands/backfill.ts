import type { FileFormat } from '@plumbline/adapters/files'
import { PlumblineError } from '@plumbline/schemas'
import type { Command } from 'commander'
import { EXIT } from '../exit.ts'
import { checkInputs } from '../inputs.ts'
import { type InstanceFlags, openInstance } from '../instance/access.ts'
import { interruptible } from '../interrupts.ts'
import { FILE_FORMATS, oneOf } from '../options.ts'
import { note, type Output, report } from '../output.ts'
import { createProgress } from '../progress.ts'
import { examples, type Register } from '../register.ts'

interface Flags extends InstanceFlags {
  readonly format?: FileFormat
  readonly tenant: string
  readonly afterLive?: boolean
}

export const registerBackfill: Register = (program, outputOf) => {
  program
    .command('backfill')
    .description(
      'Learn from history before live data comes: files in any order, learned in event-time order. Alerts are kept apart and never sent. An interrupted run goes on where it stood.',
    )
    .argument('<files...>', 'plain or gzip; - for stdin')
    .option('--format <format>', `${FILE_FORMATS.join(', ')} (default: found from each file)`, oneOf(FILE_FORMATS))
    .option('--tenant <name>', 'tenant of events that name none', 'default')
    .option('--data-dir <folder>', 'of the instance, running or not (default: PLUMBLINE_DATA_DIR or data)')
    .option('--config <file>', 'when none runs: options of the instance in YAML or JSON, as for plumbline up')
    .option('--after-live', 'learn it even though the tenant has live events already')
    .addHelpText(
      'after',
      examples(
        'plumbline backfill --format cloudtrail trail/*.json.gz',
        'plumbline backfill --tenant acme october.jsonl.gz november.jsonl.gz',
        'plumbline generate --days 30 | plumbline backfill --data-dir ./data -',
      ),
    )
    .action(async (files: string[], flags: Flags, command: Command) => run(files, flags, outputOf(command)))
}

const run = async (files: readonly string[], flags: Flags, output: Output): Promise<void> => {
  checkInputs(files)
  const stop = interruptible(new PlumblineError('INTERRUPTED', 'interrupted before anything was learned'))
  const startedAt = performance.now()
  const [{ spool }, { backfill }, { backfillWords }] = await Promise.all([
    import('../backfill/spool.ts'),
    import('../backfill/backfill.ts'),
    import('../backfill/words.ts'),
  ])
  const progress = createProgress(output, 'reading', 'events')
  const history = await spool(files, {
    format: flags.format,
    tenant: flags.tenant,
    onEvent: (done) => progress.at(done, 0),
    signal: stop.signal,
  })
  try {
    const instance = await openInstance(flags, output, 'nothing')
    try {
      const { operator } = instance
      const { tenant, afterLive = false } = flags
      const result = await backfill({ operator, history, tenant, afterLive, progress, signal: stop.signal })
      progress.end()
      const tookMs = Math.round(performance.now() - startedAt)
      const { fromTime, toTime } = history
      if (result.finished)
        await report(output, { ...result, files: history.files, fromTime, toTime, tookMs }, backfillWords(result, history, tookMs))
      else {
        note(output, `Interrupted after ${result.before + result.events} of ${history.events} events; the same command goes on from there.`)
        process.exitCode = EXIT.failure
      }
      if (history.events === 0 && history.rejected > 0) process.exitCode = EXIT.failure
    } finally {
      await instance.close()
    }
  } finally {
    progress.end()
    history.close()
    stop.release()
  }
}
