import type { AclService } from '@plumbline/adapters/kafka'
import type { Command } from 'commander'
import { report } from '../output.ts'
import { examples, type Register } from '../register.ts'

interface Flags {
  readonly kafkaPrefix: string
  readonly principal?: string
}

const HEAD = '# BROKER: host:port of a broker. ADMIN: properties file of a user that may alter ACLs.'

export const registerAcls: Register = (program, outputOf) => {
  program
    .command('acls')
    .description('The rights at the brokers that each process of a deployment on Kafka needs, as lines for Kafka’s kafka-acls.sh.')
    .argument('[process]', 'only those of migrate, front, worker, recorder or operator')
    .option('--kafka-prefix <name>', 'first part of the names of its topics', 'plumbline')
    .option('--principal <name>', 'who gets them; with a process (default: User:plumbline-PROCESS)')
    .addHelpText('after', examples('plumbline acls > acls.sh', 'plumbline acls worker --principal User:CN=worker.example.com'))
    .action(async (only: string | undefined, { kafkaPrefix: prefix, principal }: Flags, self: Command) => {
      const { ACL_SERVICES, aclCommands, aclsOf } = await import('@plumbline/adapters/kafka')
      const isProcess = (name: string): name is AclService => (ACL_SERVICES as readonly string[]).includes(name)
      if (only !== undefined && !isProcess(only)) return self.error(`error: no process ${only}; one of ${ACL_SERVICES.join(', ')}`)
      if (principal !== undefined && only === undefined) return self.error('error: --principal needs a process: each has its own user')
      const parts = (only === undefined ? ACL_SERVICES : [only]).map((process) => {
        const user = principal ?? `User:plumbline-${process}`
        return { process, principal: user, acls: aclsOf(process, prefix), commands: aclCommands(process, user, prefix) }
      })
      await report(outputOf(self), parts, [HEAD, ...parts.flatMap(({ process, commands }) => [`# ${process}`, ...commands])].join('\n'))
    })
}
