import {
  AnnounceAnswer,
  type AnnounceRequest,
  type ChangeLine,
  ChangeRequest,
  ChangesAnswer,
  type ChangesRequest,
  inWords,
  PlumblineError,
  VERSION_PARTS,
  type VersionPart,
  WithdrawAnswer,
  type WithdrawRequest,
} from '@plumbline/schemas'
import type { Command } from 'commander'
import { type InstanceAccess, type InstanceFlags, openInstance } from '../instance/access.ts'
import { columns, type Output, report } from '../output.ts'
import { examples, type Register } from '../register.ts'
import { dataDirOf } from '../store.ts'

interface Flags extends InstanceFlags {
  readonly tenant: string
}

interface AnnounceFlags extends Flags, Readonly<Partial<Record<VersionPart, string>>> {
  readonly identities?: readonly string[]
  readonly peerGroups?: readonly string[]
  readonly all?: true
  readonly from?: string
  readonly until?: string
  readonly reason: string
  readonly ticket?: string
  readonly by?: string
  readonly id?: string
}

interface KeyFlags {
  readonly tenant: string
  readonly out: string
  readonly keysFile?: string
  readonly dataDir?: string
}

export const registerChanges: Register = (program, outputOf) => {
  const changes = program
    .command('changes')
    .description(
      'Changes of agents that deploys announce: what they bring is expected, and where changes are announced, others are findings.',
    )
    .addHelpText('after', examples('plumbline changes list', 'plumbline changes key ci --out deploy.pem'))
  const add = (name: string, description: string, ...lines: string[]): Command =>
    changes
      .command(name)
      .description(description)
      .option('--tenant <name>', 'whose changes', 'default')
      .option('--data-dir <folder>', 'of the instance, running or not (default: PLUMBLINE_DATA_DIR or data)')
      .addHelpText('after', examples(...lines))
  const asked = (command: Command): Command =>
    command.option('--config <file>', 'when none runs: options of the instance in YAML or JSON, as for plumbline up')
  asked(
    add('list', 'All changes that are remembered of a tenant, newest last.', 'plumbline changes list', 'plumbline changes list --json'),
  ).action((flags: Flags, command: Command) => list(flags, outputOf(command)))
  registerAnnounce(
    asked(
      add(
        'announce',
        'Announce a change with the rights of the operator of this machine; deploy jobs sign a request instead.',
        'plumbline changes announce --model gpt-5.2 --identities "support-*" --reason "New model for support"',
        'plumbline changes announce --release "*" --all --until 2026-12-01T18:00:00Z --reason "Monthly release"',
      ),
    ),
  ).action((flags: AnnounceFlags, command: Command) => announce(flags, outputOf(command)))
  asked(add('withdraw', 'End a change now, as after a roll-back.', 'plumbline changes withdraw run-4711'))
    .argument('<id>', 'change')
    .action((id: string, flags: Flags, command: Command) => withdraw(id, flags, outputOf(command)))
  add(
    'key',
    'Make a key for a deploy job: the private half into a file, the public half registered with the service.',
    'plumbline changes key ci --out deploy.pem',
  )
    .argument('<name>', 'what requests and the audit log call it')
    .requiredOption('-o, --out <file>', 'file of the private key, PEM; must not be there yet')
    .option('--keys-file <file>', 'file of the registered keys (default: that of the data folder)')
    .action((name: string, flags: KeyFlags, command: Command) => makeKey(name, flags, outputOf(command)))
}

const registerAnnounce = (command: Command): Command => {
  for (const part of VERSION_PARTS) command.option(`--${part} <name>`, `the ${part} changes, to this name or hash; * where it is not known`)
  return command
    .option('--identities <patterns...>', 'agents and services it is about')
    .option('--peer-groups <patterns...>', 'peer groups it is about')
    .option('--all', 'it is about every agent and service of the tenant')
    .option('--from <time>', 'begin of the window, RFC 3339 (default: now)')
    .option('--until <time>', 'end of the window (default: 24 hours after its begin; 7 days at most)')
    .requiredOption('--reason <words>', 'what changes and why')
    .option('--ticket <name>', 'where it was decided')
    .option('--by <name>', 'who announces it (default: USER)')
    .option('--id <name>', 'names the change; the same one again has no effect')
}

const withInstance = async <T>(flags: Flags, output: Output, use: (instance: InstanceAccess) => Promise<T>): Promise<T> => {
  const instance = await openInstance(flags, output, 'data')
  try {
    return await use(instance)
  } finally {
    await instance.close()
  }
}

const time = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ')

const scopeText = ({ scope }: ChangeLine['change']): string =>
  scope.all === true ? 'all' : [...(scope.identities ?? []), ...(scope.peerGroups ?? []).map((group) => `group ${group}`)].join(', ')

const tableOf = (lines: readonly ChangeLine[]): string =>
  columns([
    ['change', 'state', 'what', 'scope', 'from (UTC)', 'until (UTC)', 'received (UTC)', 'announced by', 'reason'],
    ...lines.map(({ change, state, announcedAt, actor }) => [
      change.id,
      state,
      Object.entries(change.what)
        .map(([part, name]) => `${part} ${name}`)
        .join(', '),
      scopeText(change),
      time(change.from),
      time(change.until),
      time(announcedAt),
      `${change.by}, ${actor}`,
      [change.reason, change.ticket ?? ''].filter((words) => words !== '').join('; '),
    ]),
  ])

const list = async (flags: Flags, output: Output): Promise<void> => {
  const { tenant } = flags
  const { changes } = await withInstance(flags, output, async ({ operator }) =>
    ChangesAnswer.parse(await operator.post('/v1/operator/changes', JSON.stringify({ tenant } satisfies ChangesRequest))),
  )
  await report(output, { tenant, changes }, changes.length === 0 ? `No change of tenant ${tenant} was announced.` : tableOf(changes))
}

/** What was asked for on the command line, checked as the service does. Error: CHANGE_INVALID. */
const requestOf = (flags: AnnounceFlags): ChangeRequest => {
  const given = <T>(name: string, value: T | undefined): Record<string, T> => (value === undefined ? {} : { [name]: value })
  const {
    identities,
    peerGroups,
    all,
    from = new Date().toISOString(),
    until,
    reason,
    ticket,
    by = process.env['USER'] ?? 'operator',
    id,
  } = flags
  const parsed = ChangeRequest.safeParse(
    {
      what: Object.assign({}, ...VERSION_PARTS.map((part) => given(part, flags[part]))) as object,
      scope: { ...given('identities', identities), ...given('peerGroups', peerGroups), ...given('all', all) },
      from,
      reason,
      by,
      ...given('until', until),
      ...given('ticket', ticket),
      ...given('id', id),
    },
    { error: inWords },
  )
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new PlumblineError('CHANGE_INVALID', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`)
}

const announce = async (flags: AnnounceFlags, output: Output): Promise<void> => {
  const { tenant } = flags
  const change = requestOf(flags)
  const answer = await withInstance(flags, output, async ({ operator }) =>
    AnnounceAnswer.parse(await operator.post('/v1/operator/announce', JSON.stringify({ tenant, change } satisfies AnnounceRequest))),
  )
  const words = answer.state === 'known' ? 'was announced before' : 'is announced'
  await report(output, answer, `Change ${answer.id} of tenant ${tenant} ${words}: from ${answer.from} until ${answer.until}.`)
}

const withdraw = async (id: string, flags: Flags, output: Output): Promise<void> => {
  const { tenant } = flags
  const answer = await withInstance(flags, output, async ({ operator }) =>
    WithdrawAnswer.parse(await operator.post('/v1/operator/withdraw', JSON.stringify({ tenant, id } satisfies WithdrawRequest))),
  )
  await report(
    output,
    { tenant, ...answer },
    `Change ${id} of tenant ${tenant} is withdrawn; it would have been open until ${time(answer.wasUntil)}.`,
  )
}

const makeKey = async (name: string, flags: KeyFlags, output: Output): Promise<void> => {
  const { makeDeployKey } = await import('@plumbline/standalone')
  const { keysFile } = await makeDeployKey(name, { ...flags, dataDir: dataDirOf(flags) })
  const { tenant, out } = flags
  const words = `Key ${name} may announce changes of tenant ${tenant}: registered in ${keysFile}. Its private half is in ${out}; give it to the deploy job and delete it here.`
  await report(output, { name, tenant, keysFile, privateKey: out }, words)
}
