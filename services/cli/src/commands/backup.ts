import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { ClusterFlags } from '../kafka/config.ts'
import { clusterOptions } from '../kafka/options.ts'
import { counted, report } from '../output.ts'
import { createProgress } from '../progress.ts'
import { examples, type Register } from '../register.ts'

interface Flags extends ClusterFlags {
  readonly to: string
}

export const registerBackup: Register = (program, outputOf) => {
  const command = program
    .command('backup')
    .description(
      'Keep a deployment on Kafka in a folder: what was learned with its positions, releases, values, and what is not scored or stored yet. Running or not.',
    )
    .requiredOption('--to <folder>', 'a new folder, or an empty one')
  clusterOptions(command)
    .addHelpText(
      'after',
      `\nHolds events and baselines: keep it as carefully as the deployment. The master key is not in it, and without that key it is of\nno use. ClickHouse has backups of its own.${examples('plumbline backup --to /backup/2026-11-29 --config front.yaml')}`,
    )
    .action(async (flags: Flags, self: Command) => {
      const output = outputOf(self)
      const { openCluster } = await import('../kafka/config.ts')
      const { takeBackup } = await import('@plumbline/adapters/kafka')
      const cluster = openCluster(flags)
      const { settings, prefix, shards } = cluster
      const dir = resolve(flags.to)
      const progress = createProgress(output, 'backing up', 'steps')
      try {
        const manifest = await takeBackup(settings, {
          prefix,
          shards,
          masterKey: cluster.masterKey(),
          dir,
          onStep: (step) => progress.phase(step),
        })
        const files = Object.entries(manifest.files)
        const bytes = files.reduce((sum, [, file]) => sum + file.bytes, 0)
        const events = files.reduce((sum, [name, file]) => sum + (name.startsWith('events-') ? file.frames : 0), 0)
        progress.end()
        const words = `Kept ${prefix} in ${dir}: ${counted(shards, 'shard')}, ${counted(events, 'event')} still to be scored, ${(bytes / 1e6).toFixed(1)} MB.`
        await report(output, { dir, bytes, events, ...manifest }, words)
      } finally {
        progress.end()
      }
    })
}
