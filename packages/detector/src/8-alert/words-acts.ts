import type { AlertFacts } from '@plumbline/schemas'
import { isWrite, wordsIn } from '../policy/index.ts'
import { nameText } from './words-names.ts'

/** Base and past of what an action's verb says, up to the thing it is done to. */
type Forms = readonly [base: string, past: string]
const FORMS: Readonly<Record<string, Forms>> = {
  read: ['read', 'read'],
  get: ['read', 'read'],
  fetch: ['read', 'read'],
  retrieve: ['read', 'read'],
  load: ['read', 'read'],
  access: ['access', 'accessed'],
  select: ['query', 'queried'],
  query: ['query', 'queried'],
  list: ['list', 'listed'],
  describe: ['look up', 'looked up'],
  lookup: ['look up', 'looked up'],
  search: ['search', 'searched'],
  find: ['search', 'searched'],
  scan: ['scan', 'scanned'],
  download: ['download from', 'downloaded from'],
  browse: ['browse', 'browsed'],
  view: ['view', 'viewed'],
  show: ['view', 'viewed'],
  open: ['open', 'opened'],
  check: ['check', 'checked'],
  verify: ['check', 'checked'],
  decrypt: ['decrypt with', 'decrypted with'],
  send: ['send through', 'sent through'],
  post: ['post to', 'posted to'],
  publish: ['publish to', 'published to'],
  upload: ['upload to', 'uploaded to'],
  put: ['write to', 'wrote to'],
  write: ['write to', 'wrote to'],
  save: ['write to', 'wrote to'],
  store: ['write to', 'wrote to'],
  insert: ['write to', 'wrote to'],
  create: ['create in', 'created in'],
  add: ['add to', 'added to'],
  update: ['change', 'changed'],
  modify: ['change', 'changed'],
  change: ['change', 'changed'],
  edit: ['change', 'changed'],
  patch: ['change', 'changed'],
  set: ['change', 'changed'],
  delete: ['delete from', 'deleted from'],
  remove: ['remove from', 'removed from'],
  drop: ['delete from', 'deleted from'],
  export: ['export from', 'exported from'],
  import: ['import into', 'imported into'],
  copy: ['copy in', 'copied in'],
  move: ['move in', 'moved in'],
  pay: ['pay through', 'paid through'],
  transfer: ['transfer through', 'transferred through'],
  forward: ['forward through', 'forwarded through'],
  share: ['share from', 'shared from'],
  submit: ['enter data into', 'entered data into'],
  input: ['enter data into', 'entered data into'],
  fill: ['enter data into', 'entered data into'],
  email: ['write through', 'wrote through'],
  login: ['sign in to', 'signed in to'],
}

const ACRONYMS: ReadonlySet<string> = new Set(
  'hr crm iam kms pii phi ehr emr erp sso sql api ec2 s3 rds sts ssm vpc dns db ci cd ssn pci kyc hris sms it'.split(' '),
)
const SPOKEN: Readonly<Record<string, string>> = {
  web: 'the web',
  website: 'the web',
  messaging: 'messages',
  email: 'e-mail',
  mail: 'e-mail',
  calendar: 'the calendar',
  other: 'other resources',
  ticket: 'tickets',
  file: 'files',
  document: 'documents',
  secret: 'secrets',
  secretsmanager: 'secrets',
  signin: 'the console',
  payment: 'payments',
}
/** `hr` → `HR`, `hr_records` → `HR records`, `web` → `the web`. */
export const classText = (resourceClass: string): string => {
  const spoken = SPOKEN[resourceClass.toLowerCase()]
  if (spoken !== undefined) return spoken
  if (!/^[A-Za-z0-9_-]{1,60}$/.test(resourceClass)) return nameText(resourceClass)
  return (
    resourceClass
      .split(/[_-]+/)
      .map((w) => (ACRONYMS.has(w.toLowerCase()) ? w.toUpperCase() : w))
      .join(' ')
      .trim() || nameText(resourceClass)
  )
}

export interface Act {
  /** `read HR`: follows "tried to" and "to". */
  readonly base: string
  /** `read HR`, `sent data to evil.test`: follows the name. */
  readonly past: string
  /** The verb alone, for "grant to read HR"; undefined when it takes no plain object. */
  readonly verbBase: string | undefined
  readonly write: boolean
  /** `HR`, `the web`, `evil.test`: what it was done to. */
  readonly object: string
}

/** Classes of sources that know no classes: the action's name then says more. */
const SAYS_NOTHING: ReadonlySet<string> = new Set(['tool', 'tools', 'other', 'unknown', 'function', 'resource'])

const usedAct = (facts: AlertFacts, thing: string, write: boolean): Act => {
  const action = nameText(facts.action, 60)
  const on = SAYS_NOTHING.has(facts.resource.class.toLowerCase()) ? '' : ` on ${thing}`
  const at = facts.destination === undefined ? '' : ` at ${nameText(facts.destination)}`
  return {
    base: `use ${action}${on}${at}`,
    past: `used ${action}${on}${at}`,
    verbBase: undefined,
    write,
    object: on === '' ? action : thing,
  }
}

/** What was done, in words, from the action, the class and where data went. */
export const actOf = (facts: AlertFacts): Act => {
  const write = isWrite(facts.action)
  const verb = wordsIn(facts.action).find((w) => FORMS[w] !== undefined)
  const forms = verb === undefined ? undefined : FORMS[verb]
  const thing = classText(facts.resource.class)
  if (write && facts.destination !== undefined) {
    const to = nameText(facts.destination)
    const through = ` (${nameText(facts.action, 60)})`
    return {
      base: `send data to ${to}${through}`,
      past: `sent data to ${to}${through}`,
      verbBase: undefined,
      write,
      object: to,
    }
  }
  const at = facts.destination === undefined ? '' : ` at ${nameText(facts.destination)}`
  if (forms === undefined || SAYS_NOTHING.has(facts.resource.class.toLowerCase())) return usedAct(facts, thing, write)
  const direct = !forms[0].includes(' ') || forms[0] === 'look up' || forms[0] === 'download from'
  return {
    base: `${forms[0]} ${thing}${at}`,
    past: `${forms[1]} ${thing}${at}`,
    verbBase: direct ? forms[0].replace(/ from$/, '') : undefined,
    write,
    object: thing,
  }
}

const OUTSIDE: readonly (readonly [words: string, text: string])[] = [
  ['email emails mail inbox mailbox', 'an e-mail from outside'],
  ['messaging message messages chat sms', 'a message from outside'],
  ['web website browser internet url webpage', 'a web page'],
  ['ticket tickets ticketing helpdesk servicedesk support', 'a ticket written outside'],
  ['file files document documents attachment attachments', 'a document from outside'],
]

/** What set it off, in words: an untrusted read of class `trigger`. */
export const outsideText = (trigger: string): string => {
  const words = wordsIn(trigger)
  const known = OUTSIDE.find(([list]) => words.some((w) => list.split(' ').includes(w)))
  return known?.[1] ?? (SAYS_NOTHING.has(trigger.toLowerCase()) ? 'text from outside' : `text from outside (${classText(trigger)})`)
}
