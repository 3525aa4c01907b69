import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SENSITIVITY_DEFAULTS, UNTRUSTED_ACTION_WORDS, UNTRUSTED_CLASSES } from './defaults.ts'
import {
  defaultSensitivity,
  isExternalDestination,
  isUntrustedRead,
  isWrite,
  sendsOutward,
  sensitivityByName,
  wordsIn,
} from './classify.ts'

test('names fall apart into words whatever their style', () => {
  const cases: [string, string][] = [
    ['iam:GetUser', 'iam get user'],
    ['hr_records', 'hr records'],
    ['HRRecords', 'hr records'],
    ['http.server-get', 'http server get'],
    ['', ''],
    ['***', ''],
    ['Straße2', 'straße2'],
  ]
  for (const [name, words] of cases) assert.equal(wordsIn(name).join(' '), words, name)
})

test('the first verb of an action decides whether it writes', () => {
  for (const a of [
    'send_email',
    's3:PutObject',
    'input_to_webpage',
    'iam:AttachUserPolicy',
    'POST /v1/x',
    'email',
    'delete_node',
    'create_calendar_event',
  ])
    assert.equal(isWrite(a), true, a)
  for (const a of [
    'get_sent_emails',
    'SELECT',
    'search_emails',
    'download_file_through_url',
    'mail.search',
    'ConsoleLogin',
    '',
    'read_file',
  ])
    assert.equal(isWrite(a), false, a)
})

test("reading the web, mail and tickets is untrusted, one's own sent mail is not", () => {
  const untrusted: [string, string][] = [
    ['browse_webpage', 'web'],
    ['get_unread_emails', 'messaging'],
    ['tickets.get', 'support'],
    ['read', 'external_documents'],
  ]
  for (const [a, c] of untrusted) assert.equal(isUntrustedRead(a, c), true, `${a} ${c}`)
  const trusted: [string, string][] = [
    ['get_sent_emails', 'messaging'],
    ['send_email', 'messaging'],
    ['read_file', 'files'],
    ['select', 'crm'],
  ]
  for (const [a, c] of trusted) assert.equal(isUntrustedRead(a, c), false, `${a} ${c}`)
})

test('sensitivity is the highest of the words, internal when nothing is known', () => {
  for (const [c, s] of [
    ['hr', 3],
    ['HR-Records', 3],
    ['public_hr', 3],
    ['invoices', 2],
    ['web', 0],
    ['crm', 1],
    ['', 1],
  ] as const)
    assert.equal(defaultSensitivity(c), s, c)
})

test('destinations: public hosts, mail domains and accounts are outside; paths, names, private addresses and own domains are not', () => {
  for (const d of [
    'cathy@example.com',
    'https://evil.test:8443/a@b',
    'www.example.com/x.pdf',
    '203.0.113.7',
    'DE89370400440532013000',
    '[2001:db8::1]:443',
    'mailto:a@b.example',
    'notes.zip',
  ])
    assert.equal(isExternalDestination(d), true, d)
  for (const d of [
    '/etc/passwd',
    'path:/x',
    's3://bucket/key',
    'db.internal',
    '10.1.2.3',
    '[::1]:80',
    'fd00:1::1',
    'fileserver',
    'localhost:80',
    'C:\\x',
    '',
    '@',
    'a b',
    'notes.txt',
  ])
    assert.equal(isExternalDestination(d), false, d)
  assert.equal(isExternalDestination('bob@mail.acme.example', ['acme.example']), false)
  assert.equal(isExternalDestination('bob@notacme.example', ['acme.example']), true)
  assert.equal(isExternalDestination('https://acme.example@evil.test/', ['acme.example']), true, 'user part must not pass for the host')
})

test('without a destination, sending by mail, web or payment reaches out', () => {
  assert.equal(sendsOutward('send_money', 'payments'), true)
  assert.equal(sendsOutward('create_file', 'files'), false)
  assert.equal(sendsOutward('search_emails', 'messaging'), false)
})

test('each default row has terms in lower case and a reason', () => {
  for (const row of [...SENSITIVITY_DEFAULTS, ...UNTRUSTED_CLASSES, ...UNTRUSTED_ACTION_WORDS]) {
    assert.ok(row.reason.length > 10)
    for (const t of row.terms) assert.deepEqual(wordsIn(t), [t])
  }
})

test('where the class says nothing, the action does; where it says something, the action does not matter', () => {
  assert.equal(sensitivityByName('hr.read_employee', 'tool'), 3)
  assert.equal(sensitivityByName('web.search', 'tool'), 1)
  assert.equal(sensitivityByName('hr.read_employee', 'wiki'), 1)
})
