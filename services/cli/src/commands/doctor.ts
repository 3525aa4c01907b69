import { EXIT } from '../exit.ts'
import { integer } from '../options.ts'
import { columns, report } from '../output.ts'
import { examples, type Register } from '../register.ts'

interface Flags {
  readonly config?: string
  readonly dataDir?: string
  readonly httpPort?: number
  readonly kafka?: string
  readonly clickhouse?: string
  readonly quick?: boolean
}

export const registerDoctor: Register = (program, outputOf) => {
  program
    .command('doctor')
    .description('Check whether this machine can run Plumbline, and say how to fix what is in the way.')
    .option('--config <file>', 'the file that up is given')
    .option('--data-dir <folder>', 'data folder (default: as up would take it)')
    .option('--http-port <n>', 'port of the service (default: as up would take it)', integer(0, 65_535))
    .option(
      '--kafka <brokers>',
      'also check these brokers, host:port separated by commas (default: PLUMBLINE_KAFKA_BROKERS, with the options beside it, or KAFKA_BROKERS)',
    )
    .option('--clickhouse <url>', 'also check this server (default: as up would take it)')
    .option('--quick', 'do not start the embedded engine and the training backend')
    .addHelpText(
      'after',
      examples(
        'plumbline doctor',
        'plumbline doctor --config plumbline.yaml',
        'plumbline doctor --json --clickhouse http://localhost:8123',
      ),
    )
    .action(async (flags: Flags, command) => {
      const { diagnose } = await import('../doctor/diagnose.ts')
      const { readConfiguration } = await import('../doctor/configuration.ts')
      const { variablesOfOthers } = await import('../up/variables.ts')
      const { StandaloneConfig } = await import('@plumbline/standalone/config')
      const { dataDir, httpPort } = flags
      const deployment = flags.kafka === undefined && (process.env['PLUMBLINE_KAFKA_BROKERS'] ?? '') !== ''
      const { config, findings: configuration } = readConfiguration({
        file: flags.config,
        env: process.env,
        flags: { dataDir, httpPort },
        ignoreEnv: await variablesOfOthers(StandaloneConfig, process.env),
      })
      const findings = await diagnose({
        configuration,
        dataDir: config.dataDir,
        httpPort: config.httpPort,
        kafkaBrokers: (flags.kafka ?? (deployment ? '' : (process.env['KAFKA_BROKERS'] ?? ''))).split(',').filter((b) => b !== ''),
        deployment,
        clickhouseUrl: flags.clickhouse ?? config.clickhouseUrl,
        deep: flags.quick !== true,
      })
      const failed = findings.filter((f) => f.status === 'fail').length
      const rows = findings.map((f) => [
        { ok: 'ok', warn: 'WARN', fail: 'FAIL' }[f.status],
        f.name,
        f.fix === undefined ? f.found : `${f.found}. Fix: ${f.fix}`,
      ])
      const end = failed === 0 ? 'Nothing is in the way.' : `${failed} ${failed === 1 ? 'thing is' : 'things are'} in the way.`
      await report(outputOf(command), { ok: failed === 0, findings }, `${columns(rows)}\n\n${end}`)
      if (failed > 0) process.exitCode = EXIT.failure
    })
}
