import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { ClusterFlags } from '../kafka/config.ts'
import { clusterOptions } from '../kafka/options.ts'
import { counted, report } from '../output.ts'
import { createProgress } from '../progress.ts'
import { examples, type Register } from '../register.ts'

interface Flags extends ClusterFlags {
  readonly from: string
  readonly toPrefix: string
  readonly later?: boolean
}

export const registerRestore: Register = (program, outputOf) => {
  const command = program
    .command('restore')
    .description('Put a backup into new topics, where the deployment goes on. Nothing is ever restored over something.')
    .requiredOption('--from <folder>', 'a folder of plumbline backup')
    .requiredOption('--to-prefix <name>', 'first part of the names of the new topics')
    .option(
      '--later',
      'take only what was learned from the backup, and score anew all that its own topics hold since; front, workers and recorders are stopped',
    )
  clusterOptions(command)
    .addHelpText(
      'after',
      `\nEvents keep their positions: what is scored anew gives the same rows and alerts, which the store keeps once. Set kafkaPrefix of\nall processes to the new one afterwards.${examples(
        'plumbline restore --from /backup/2026-11-29 --to-prefix plumbline-2 --config front.yaml',
        'plumbline restore --from /backup/2026-11-29 --to-prefix plumbline-2 --later --config front.yaml',
      )}`,
    )
    .action(async (flags: Flags, self: Command) => {
      const output = outputOf(self)
      const { openCluster } = await import('../kafka/config.ts')
      const { openArchive, restoreArchive, restoreWithLater } = await import('@plumbline/adapters/kafka')
      const cluster = openCluster(flags)
      const progress = createProgress(output, 'restoring', 'steps')
      const workDir = mkdtempSync(join(tmpdir(), 'plumbline-restore-'))
      try {
        progress.phase('checking the backup')
        const archive = await openArchive(resolve(flags.from))
        const options = { toPrefix: flags.toPrefix, masterKey: cluster.masterKey(), onStep: (step: string) => progress.phase(step) }
        const restored =
          flags.later === true
            ? await restoreWithLater(cluster.settings, archive, { ...options, workDir })
            : await restoreArchive(cluster.settings, archive, options)
        progress.end()
        const words = `Restored into ${flags.toPrefix}: ${counted(restored.shards, 'shard')}, ${counted(restored.events, 'event')} to be scored. Set kafkaPrefix to ${flags.toPrefix} and start.`
        await report(output, { prefix: flags.toPrefix, ...restored }, words)
      } finally {
        progress.end()
        rmSync(workDir, { recursive: true, force: true })
      }
    })
}
