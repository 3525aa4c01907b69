import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { writeInstanceFile } from '@plumbline/runtime'
import { helpOf } from './docs.ts'
import { createProgram } from './program.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'plumbline-cli-'))
after(() => rmSync(dir, { recursive: true, force: true }))

const runWith = (env: Readonly<Record<string, string>>, ...args: readonly string[]) => {
  const options = { cwd: dir, encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, ...env } } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], options)
  return { status, stdout, stderr }
}
const run = (...args: readonly string[]) => runWith({}, ...args)

test('help shows every command with its exit codes; each command has examples', async () => {
  const help = run('--help')
  assert.equal(help.status, 0)
  assert.match(help.stdout, /Exit codes: 0 done, 1 failed, 2 /)
  const { commands } = await createProgram([])
  assert.ok(commands.length >= 11, help.stdout)
  for (const command of commands) {
    assert.ok(help.stdout.includes(`\n  ${command.name()} `), command.name())
    assert.match(helpOf(command), /Examples:\n {2}\$ plumbline /, command.name())
  }
  const shown = run('backfill', '--help')
  assert.deepEqual([shown.status, shown.stderr], [0, ''])
})

test('a wrong command line exits with 2 and says what is wrong', () => {
  for (const [args, words] of [
    [['nothing'], /unknown command 'nothing'/],
    [['generate', '--days', 'many'], /must be a number from 0.05 to 400/],
    [['generate', '--attacks', 'hr_access,teleport'], /unknown attack teleport; one of hr_access/],
    [['generate', '--size', '1000..1.2'], /A range is two rising numbers/],
    [['generate', '--size', '1..2..3'], /from 1\.01 to 10000/],
    [['generate', '--params', 'absent.json'], /absent\.json does not exist \[FILE_NOT_FOUND\]/],
    [['policy', 'test', 'absent.yaml'], /absent\.yaml does not exist \[FILE_NOT_FOUND\]/],
    [['up', '--http-port', '70000'], /--http-port: must be a whole number from 0 to 65,535/],
  ] as const) {
    const { status, stdout, stderr } = run(...args)
    assert.equal(status, 2, args.join(' '))
    assert.equal(stdout, '')
    assert.match(stderr, words)
  }
})

test('every command that reads files says alike that one is missing or a folder, and exits with 2', () => {
  const commands = [
    ['replay'],
    ['backfill'],
    ['policy', 'test'],
    ['policy', 'propose'],
    ['policy', 'test', '--cases'],
    ['evaluate', '--scores', 'scores.jsonl', '--train', '-', '--test'],
    ['evaluate', '--scores', 'scores.jsonl', '--tabular', MAIN],
  ]
  writeFileSync(join(dir, 'plumbline.policy.yaml'), '')
  for (const command of commands) {
    for (const [file, words] of [
      ['nofile', /^plumbline: nofile does not exist \[FILE_NOT_FOUND\]\n$/],
      [dir, /is a folder; name the files in it, like .*\/\* \[FILE_IS_FOLDER\]\n$/],
    ] as const) {
      const { status, stderr } = run(...command, file)
      assert.equal(status, 2, `${command.join(' ')} ${file}: ${stderr}`)
      assert.match(stderr, words, command.join(' '))
    }
  }
})

test('migrate beside a running instance says that there is nothing to do by hand', () => {
  const dataDir = mkdtempSync(join(dir, 'busy-'))
  const at = { v: 1, pid: process.pid, startedAt: Date.now(), url: 'http://127.0.0.1:1', token: 'x', operator: 'y', store: null } as const
  writeInstanceFile(dataDir, at)
  for (const more of [[], ['--dry-run']]) {
    const { status, stderr } = run('migrate', '--data-dir', dataDir, ...more)
    assert.equal(status, 3)
    assert.match(stderr, /an instance \(pid \d+\) runs on .*; plumbline up brings its tables up .* stop it first \[STORE_BUSY\]/)
  }
  assert.match(run('query', '--data-dir', dataDir, 'SELECT 1').stderr, /its store is not up yet; try again/)
})

test('an evaluation of nothing is no success', () => {
  const { status, stderr } = run('evaluate', '--train', '/dev/null', '--test', '/dev/null', '--scores', '-')
  assert.equal(status, 1)
  assert.match(stderr, /\/dev\/null holds no event that can be scored \[NOTHING_SCORED\]/)
})

test('an address where nobody is is told at once', () => {
  const took = (args: readonly string[]): number => {
    const startedAt = performance.now()
    const { status, stderr } = run(...args)
    const ms = performance.now() - startedAt
    assert.equal(status, 3, stderr)
    assert.match(stderr, /127\.0\.0\.1:1 does not answer \(.+\); is it running/)
    return ms
  }
  const generated = performance.now()
  writeFileSync(join(dir, 'one.jsonl'), run('generate', '--days', '1', '--limit', '1').stdout)
  // What a command takes on this machine at this moment; each would wait for six seconds and more if it tried again.
  const startMs = performance.now() - generated
  for (const args of [
    ['explain', '--to', 'http://127.0.0.1:1', '--token', 'x', 'some-alert'],
    ['replay', '--to', 'http://127.0.0.1:1', '--arrival', 'wall', 'one.jsonl'],
  ])
    assert.ok(took(args) < 5_000 + 3 * startMs, args.join(' '))
})

test('with --json an error is JSON on stderr', () => {
  const { status, stderr } = run('policy', 'test', 'absent.yaml', '--json')
  assert.equal(status, 2)
  assert.equal((JSON.parse(stderr) as { error: { code: string } }).error.code, 'FILE_NOT_FOUND')
})

test('generate: same seed same bytes, plain or compressed, on stdout or in a file; labels stay beside', () => {
  const size = ['--identities', '20', '--days', '1', '--seed', '7']
  const out = run('generate', ...size)
  assert.equal(out.status, 0, out.stderr)
  const summary = run('generate', ...size, '--out', 'day.jsonl.gz', '--labels', 'labels.jsonl', '--json')
  assert.equal(gunzipSync(readFileSync(join(dir, 'day.jsonl.gz'))).toString(), out.stdout)
  const { events, cases, attackEvents, twinEvents } = JSON.parse(summary.stdout) as Record<string, number>
  assert.equal(out.stdout.trimEnd().split('\n').length, events)
  const labels = readFileSync(join(dir, 'labels.jsonl'), 'utf8').trimEnd().split('\n')
  assert.equal(labels.length, (attackEvents ?? 0) + (twinEvents ?? 0))
  assert.ok((cases ?? 0) > 0)
  assert.doesNotMatch(out.stdout, /"(label|attack|twin)"/)
  const [first = ''] = out.stdout.split('\n', 1)
  const day = new Date((JSON.parse(first) as { time: number }).time)
  assert.equal(day.toISOString().slice(0, 10), '2026-10-01')
  assert.match(run('generate', '--help').stdout, /default: 2026-10-01T00:00:00Z, a\s+Thursday/)
  assert.equal(day.getUTCDay(), 4)
  assert.notEqual(run('generate', '--identities', '20', '--days', '1', '--seed', '8').stdout, out.stdout)
})

test('replay takes standard input as it comes', () => {
  const lines = run('generate', '--identities', '20', '--days', '1', '--limit', '50').stdout.trimEnd().split('\n').toReversed()
  const { status, stdout } = spawnSync(process.execPath, [MAIN, 'replay', '-', '--json'], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
  })
  assert.equal(status, 0)
  const last = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as { summary: Record<string, unknown> }
  assert.deepEqual([last.summary['events'], last.summary['rejected'], last.summary['alerts'], last.summary['held']], [50, 0, 0, 0])
  assert.equal((last.summary['highest'] as unknown[]).length, 5)
})

test('generate: sizes from a range; a file of parameters, over which the command line wins', () => {
  const sizes = (labels: string): number[] =>
    readFileSync(join(dir, labels), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { size: number; twin: boolean })
      .flatMap((l) => (l.twin ? [] : [l.size]))
  const small = ['--identities', '40', '--days', '4', '--rate', '20', '--attacks', 'burst,hr_access', '--per-kind', '12']
  assert.equal(run('generate', ...small, '--size', '1.2..1000', '--out', 'range.jsonl', '--labels', 'range.labels').status, 0)
  const drawn = new Set(sizes('range.labels'))
  assert.ok(Math.min(...drawn) < 10 && Math.max(...drawn) > 50 && drawn.size > 15, [...drawn].join(' '))

  const params = { identities: 20, days: 1, seed: 7, attacks: { kinds: ['burst'] }, tuning: { failures: 3 }, arguments: true }
  writeFileSync(join(dir, 'params.json'), JSON.stringify(params))
  const file = run('generate', '--params', 'params.json')
  assert.equal(file.status, 0, file.stderr)
  assert.match(file.stdout, /"attributes":/)
  assert.equal(run('generate', '--params', 'params.json', '--seed', '7').stdout, file.stdout)
  assert.notEqual(run('generate', '--params', 'params.json', '--seed', '8').stdout, file.stdout)
  assert.match(run('generate', '--params', 'params.json', '--per-kind', '3').stderr, /leave out --attacks/)
  writeFileSync(join(dir, 'wrong.json'), JSON.stringify({ tuning: { failuers: 3 } }))
  const wrong = run('generate', '--params', 'wrong.json')
  assert.equal(wrong.status, 2)
  assert.match(wrong.stderr, /wrong\.json: tuning\.failuers is no option/)
})

test('generate stops quietly when its reader does', () => {
  const shell = spawnSync('sh', ['-c', `"${process.execPath}" "${MAIN}" generate --days 30 | head -1`], { encoding: 'utf8' })
  assert.equal(shell.stderr, '')
  assert.equal(typeof (JSON.parse(shell.stdout) as { id: string }).id, 'string')
})

test('policy test names the place of each mistake and what has lapsed', () => {
  writeFileSync(
    join(dir, 'bad.yaml'),
    [
      'resources:',
      '  - match: {class: hr}',
      '    sensitivity: 9',
      'exceptions:',
      '  - id: x',
      '    identities: "*"',
      '    reason: r',
      '    author: a',
    ].join('\n'),
  )
  const bad = run('policy', 'test', 'bad.yaml')
  assert.equal(bad.status, 1)
  assert.match(bad.stdout, /resources\.0\.sensitivity \(line 3\)/)
  assert.match(bad.stdout, /exceptions\.0.* \(line 5\): /)

  writeFileSync(
    join(dir, 'good.yaml'),
    [
      'exceptions:',
      '  - id: old',
      '    identities: "*"',
      '    reason: r',
      '    author: jo',
      '    expires: 2020-01-01T00:00:00Z',
      'identities:',
      '  - match: a',
      '  - match: A',
      'calendars:',
      '  - {name: closing, days: [2020-01-31, 2020-02-28]}',
    ].join('\n'),
  )
  const good = run('policy', 'test', 'good.yaml', '--json')
  assert.equal(good.status, 0)
  const { ok, hash, advice } = JSON.parse(good.stdout) as { ok: boolean; hash: string; advice: { where: string; message: string }[] }
  assert.equal(ok, true)
  assert.match(hash, /^[0-9a-f]{64}$/)
  assert.deepEqual(
    advice.map((a) => a.where),
    ['exceptions old', 'calendars closing', 'identities.1'],
  )
})

test('replay and evaluate refuse a policy that is not there, not valid, or not theirs to set', () => {
  writeFileSync(join(dir, 'one.jsonl'), '')
  writeFileSync(join(dir, 'broken.yaml'), 'rules: 3')
  const evaluate = ['evaluate', '--train', 'one.jsonl', '--test', 'one.jsonl', '--scores', 'out.jsonl']
  for (const command of [['replay', 'one.jsonl'], evaluate]) {
    const absent = run(...command, '--policy', 'absent.yaml')
    assert.deepEqual([absent.status, /absent\.yaml does not exist \[FILE_NOT_FOUND\]/.test(absent.stderr)], [2, true], absent.stderr)
    const broken = run(...command, '--policy', 'broken.yaml')
    assert.deepEqual([broken.status, /broken\.yaml: rules .*\[POLICY_INVALID\]/.test(broken.stderr)], [2, true], broken.stderr)
  }
  const elsewhere = run('replay', 'one.jsonl', '--to', 'http://localhost:1', '--policy', 'good.yaml')
  assert.deepEqual([elsewhere.status, /USAGE/.test(elsewhere.stderr)], [2, true], elsewhere.stderr)
  assert.equal(run('evaluate', '--tabular', 'a.csv', 'b.csv', '--scores', '-', '--policy', 'good.yaml').status, 2)
})

test('doctor finds what this machine has and says how to fix what it has not', () => {
  const { status, stdout } = run(
    'doctor',
    '--quick',
    '--json',
    '--http-port',
    '0',
    '--kafka',
    '127.0.0.1:1',
    '--data-dir',
    join(dir, 'new'),
  )
  assert.equal(status, 1)
  const { findings } = JSON.parse(stdout) as { findings: { name: string; status: string; fix?: string }[] }
  const of = (name: string) => findings.find((f) => f.name === name)
  assert.equal(of('log (lmdb)')?.status, 'ok')
  assert.equal(of('data folder')?.status, 'ok')
  assert.equal(of('Kafka 127.0.0.1:1')?.status, 'fail')
  for (const finding of findings) assert.equal(finding.fix === undefined, finding.status === 'ok', finding.name)
})

test('doctor looks at the brokers of a deployment, and query says where its rows are', () => {
  const env = { PLUMBLINE_KAFKA_BROKERS: '127.0.0.1:1', PLUMBLINE_HTTP_PORT: '0' }
  const { status, stdout } = runWith(env, 'doctor', '--quick', '--json', '--data-dir', join(dir, 'new'))
  const { findings } = JSON.parse(stdout) as { findings: { name: string; status: string; found: string }[] }
  const [found, ...more] = findings.filter(({ name }) => name === 'deployment on Kafka')
  assert.deepEqual([status, found?.status, more.length], [1, 'fail', 0])
  assert.match(found?.found ?? '', /^KAFKA_UNREACHABLE: No broker of 127\.0\.0\.1:1 answers/)

  const front = join(dir, 'front-of-kafka')
  mkdirSync(front, { recursive: true })
  writeFileSync(join(front, 'front'), 'id\n')
  for (const args of [
    ['query', 'SELECT 1'],
    ['policy', 'propose'],
  ]) {
    const asked = run(...args, '--data-dir', front)
    assert.equal(asked.status, 2, asked.stderr)
    assert.match(asked.stderr, /front of a deployment on Kafka, whose rows are in its ClickHouse: set CLICKHOUSE_URL, or --clickhouse/)
  }
  const address = run('query', '--clickhouse', 'localhost:8123', 'SELECT 1')
  assert.equal(address.status, 2, address.stderr)
  assert.match(address.stderr, /looks like http:\/\/user:password@host:8123\/plumbline \[USAGE\]/)
})

test('doctor reads the configuration as up does: what is wrong is named with its remedy, and the rest is checked', () => {
  const findingsOf = (env: Record<string, string>, ...args: readonly string[]) => {
    const { status, stdout } = runWith(env, 'doctor', '--quick', '--json', ...args)
    const { findings } = JSON.parse(stdout) as { findings: { name: string; status: string; found: string; fix?: string }[] }
    return { status, findings, of: (name: string) => findings.filter((f) => f.name === name) }
  }
  const wrong = findingsOf({ PLUMBLINE_HTTP_PORT: 'abc', PLUMBLINE_DATA_DIR: join(dir, 'wrong') })
  assert.equal(wrong.status, 1)
  const [problem] = wrong.of('configuration')
  assert.match(problem?.found ?? '', /^PLUMBLINE_HTTP_PORT: .*number/)
  assert.match(problem?.fix ?? '', /^correct or unset PLUMBLINE_HTTP_PORT/)
  assert.ok(wrong.findings.every(({ found }) => !found.includes('the check itself failed')))
  assert.match(wrong.of('data folder')[0]?.found ?? '', /wrong, will be created$/, 'what is right still counts')

  const file = join(dir, 'doctor.yaml')
  writeFileSync(file, `dataDir: ${join(dir, 'from-file')}\nhttpPort: 0\n`)
  const good = findingsOf({}, '--config', file)
  assert.deepEqual(
    good.of('configuration').map(({ status, found }) => [status, found]),
    [['ok', `valid, with ${file}`]],
  )
  assert.match(good.of('data folder')[0]?.found ?? '', /from-file, will be created$/)
  assert.equal(good.of('port 0').length, 1)

  writeFileSync(file, 'htpPort: 1\n')
  const misspelt = findingsOf({ PLUMBLINE_HTTP_PORT: '0' }, '--config', file)
  assert.match(misspelt.of('configuration')[0]?.found ?? '', /^htpPort: unknown option; did you mean httpPort\?$/)
  assert.match(misspelt.of('configuration')[0]?.fix ?? '', /doctor\.yaml/)
  assert.match(findingsOf({}, '--config', join(dir, 'absent.yaml')).of('configuration')[0]?.found ?? '', /absent\.yaml: cannot be read/)
})

test('what only asks of a data folder makes none; arrival times are not for everybody to set', () => {
  writeFileSync(join(dir, 'one.jsonl'), '')
  for (const [args, words] of [
    [['train', '--data-dir', 'nowhere'], /there is no instance's data in .*nowhere/],
    [['explain', 'some-alert', '--data-dir', 'nowhere'], /\[DATA_DIR_EMPTY\]/],
    [['replay', '--to', 'http://127.0.0.1:1', 'one.jsonl'], /only the operator .* --arrival wall/],
    [['replay', '--arrival', 'never', '--to', 'http://127.0.0.1:1', 'one.jsonl'], /one of event, wall/],
    [['backfill', 'absent.jsonl'], /absent\.jsonl does not exist/],
  ] as const) {
    const { status, stdout, stderr } = run(...args)
    assert.equal(status, 2, `${args.join(' ')}: ${stderr}`)
    assert.equal(stdout, '')
    assert.match(stderr, words)
  }
  assert.equal(existsSync(join(dir, 'nowhere')), false)
})
