import type { Command } from 'commander'
import type { ClusterFlags } from '../kafka/config.ts'
import { clusterOptions } from '../kafka/options.ts'
import { oneOf } from '../options.ts'
import { report } from '../output.ts'
import { examples, type Register } from '../register.ts'

interface Flags extends ClusterFlags {
  readonly tenant: string
}

export const registerIdentity: Register = (program, outputOf) => {
  const command = program
    .command('identity')
    .description('The baseline of one identity as its worker stored it last: how much was learned, what is usual, when it is active.')
    .argument('<identity>', 'id of the person, agent or service, as events say it')
    .option('--tenant <name>', 'whose identity', 'default')
    .requiredOption('--from <where>', 'kafka: the state topic of a deployment', oneOf(['kafka']))
  clusterOptions(command)
    .addHelpText(
      'after',
      `\nNeeds the master key of the deployment (PLUMBLINE_MASTER_KEY, PLUMBLINE_MASTER_KEY_FILE or the file of --config): identities are\nkept under keyed hashes, and so are the names in a baseline. Reads the whole state of the shard: seconds for a gigabyte.${examples('plumbline identity alice@acme.example --tenant acme --from kafka --config worker.yaml', 'plumbline identity deploy-bot --from kafka --kafka-brokers kafka-1:9092 --json')}`,
    )
    .action(async (identity: string, flags: Flags, self: Command) => {
      const { openCluster } = await import('../kafka/config.ts')
      const { findIdentity, identityWords } = await import('../kafka/identity.ts')
      const found = await findIdentity(openCluster(flags), flags.tenant, identity)
      await report(outputOf(self), found, identityWords(found))
    })
}
