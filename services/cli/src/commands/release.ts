import {
  ReleaseAnswer,
  type ReleaseLine,
  type ReleaseRequest,
  ReleasesAnswer,
  RestoreAnswer,
  type RestoreRequest,
} from '@plumbline/schemas'
import type { DatasetReport, ShadowComparison } from '@plumbline/training'
import type { Command } from 'commander'
import { type InstanceAccess, type InstanceFlags, openInstance } from '../instance/access.ts'
import { columns, type Output, report, write } from '../output.ts'
import { examples, type Register } from '../register.ts'
import { openSink } from '../sink.ts'

interface Flags extends InstanceFlags {
  readonly tenant: string
  readonly out?: string
}

export const registerRelease: Register = (program, outputOf) => {
  const release = program
    .command('release')
    .description('Model releases: what is in force, what it was made from, and back to an earlier one.')
    .addHelpText('after', examples('plumbline release list', 'plumbline release rollback', 'plumbline release bom default-r7'))
  const add = (name: string, description: string, ...lines: string[]): Command =>
    release
      .command(name)
      .description(description)
      .option('--tenant <name>', 'whose releases', 'default')
      .option('--data-dir <folder>', 'of the instance, running or not (default: PLUMBLINE_DATA_DIR or data)')
      .option('--config <file>', 'when none runs: options of the instance in YAML or JSON, as for plumbline up')
      .addHelpText('after', examples(...lines))
  add(
    'list',
    'All releases of a tenant, with what was found when each was made.',
    'plumbline release list',
    'plumbline release list --json',
  ).action((flags: Flags, command: Command) => list(flags, outputOf(command)))
  add(
    'rollback',
    'Put an earlier release into force again: the one before the present, or the one named. What it brings back is signed anew under the next number.',
    'plumbline release rollback',
    'plumbline release rollback default-r5',
  )
    .argument('[id]', 'release to go back to')
    .action((id: string | undefined, flags: Flags, command: Command) => restore(id, false, flags, outputOf(command)))
  add(
    'promote',
    'Put a release into force that was held back because it was worse or its rows failed a check. Read why first.',
    'plumbline release promote default-r8',
  )
    .argument('<id>', 'release that was held back')
    .action((id: string, flags: Flags, command: Command) => restore(id, true, flags, outputOf(command)))
  add(
    'bom',
    'Bill of materials of a release: CycloneDX 1.6 with a model card. Data span, rows, features, parameters, metrics, hash and signer.',
    'plumbline release bom default-r7 --out default-r7.cdx.json',
  )
    .argument('<id>', 'release')
    .option('-o, --out <file>', 'where it goes', '-')
    .action((id: string, flags: Flags, command: Command) => bom(id, flags, outputOf(command)))
}

const withInstance = async <T>(flags: Flags, output: Output, use: (instance: InstanceAccess) => Promise<T>): Promise<T> => {
  const instance = await openInstance(flags, output, 'data')
  try {
    return await use(instance)
  } finally {
    await instance.close()
  }
}

/** Everything that an instance keeps of a release. */
export const fetchRelease = async (tenant: string, releaseId: string, flags: InstanceFlags, output: Output): Promise<ReleaseAnswer> =>
  withInstance({ ...flags, tenant }, output, async ({ operator }) =>
    ReleaseAnswer.parse(await operator.post('/v1/operator/release', JSON.stringify({ tenant, releaseId } satisfies ReleaseRequest))),
  )

const list = async (flags: Flags, output: Output): Promise<void> => {
  const { tenant } = flags
  const { releases } = await withInstance(flags, output, async ({ operator }) =>
    ReleasesAnswer.parse(await operator.post('/v1/operator/releases', JSON.stringify({ tenant }))),
  )
  await report(output, { tenant, releases }, releases.length === 0 ? `Tenant ${tenant} has no release yet.` : tableOf(releases))
}

const date = (ms: number): string => (ms === 0 ? '-' : new Date(ms).toISOString().slice(0, 16).replace('T', ' '))
const STATES = { in_force: 'IN FORCE', earlier: 'earlier', held: 'HELD BACK' } as const
const share = (x: number): string => `${(100 * x).toFixed(0)} %`

const tableOf = (releases: readonly ReleaseLine[]): string => {
  const rows = releases.map((r) => [
    r.id,
    STATES[r.state],
    r.modelled ? 'model' : 'statistics',
    date(r.madeAt),
    String(r.events),
    r.checks ?? '-',
    r.shadow === null ? '-' : `finds ${share(r.shadow.detection[0])}, ${r.shadow.inForce} ${share(r.shadow.detection[1])}`,
    [r.restores === null ? '' : `restores ${r.restores}`, ...r.held].filter((words) => words !== '').join(' '),
  ])
  return columns([['release', 'state', 'kind', 'made (UTC)', 'events', 'checks', 'shadow run', ''], ...rows])
}

const restore = async (releaseId: string | undefined, held: boolean, flags: Flags, output: Output): Promise<void> => {
  const { tenant } = flags
  const request: RestoreRequest = { tenant, held, ...(releaseId === undefined ? {} : { releaseId }) }
  const answer = await withInstance(flags, output, async ({ operator }) =>
    RestoreAnswer.parse(await operator.post('/v1/operator/restore', JSON.stringify(request))),
  )
  const words = `Release ${answer.restores} of tenant ${tenant} is in force again, as ${answer.releaseId}. Its next training comes when it is due; what comes of that is held against it.`
  await report(output, { tenant, ...answer }, words)
}

const bom = async (id: string, flags: Flags, output: Output): Promise<void> => {
  const { release, artifact, envelope, appraisal } = await fetchRelease(flags.tenant, id, flags, output)
  const { bomOf } = await import('@plumbline/training')
  const { checks, shadow } = (appraisal ?? {}) as { checks?: DatasetReport; shadow?: ShadowComparison | null }
  const { madeAt, held, restores, orderedBy } = release
  const made = bomOf({
    artifact: Buffer.from(artifact, 'base64'),
    envelope,
    madeAt,
    orderedBy,
    checks,
    shadow: shadow ?? undefined,
    held: held.length === 0 ? undefined : held,
    restores: restores ?? undefined,
  })
  const text = `${JSON.stringify(made, null, output.json ? 0 : 2)}\n`
  if (flags.out === undefined || flags.out === '-') return write(output.out, text)
  const sink = openSink(flags.out)
  await sink.write(text)
  await sink.end()
  await report(output, { release: id, file: flags.out }, `Bill of materials of ${id} written to ${flags.out}.`)
}
