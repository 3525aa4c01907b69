/**
 * What is held to be sensitive, untrusted or a write before anybody has written a policy.
 * Data with reasons: each row can be overruled in `plumbline.policy.yaml`, and a row without a good reason should go.
 * Terms are compared with the words of a name: `hr_records`, `HR-Records` and `hrRecords` all contain `hr`.
 */
const words = (list: string): readonly string[] => list.split(' ')

export interface SensitivityRow {
  /** 0 public, 1 internal, 2 confidential, 3 restricted. */
  readonly sensitivity: 0 | 1 | 2 | 3
  readonly terms: readonly string[]
  readonly reason: string
}

/** Anything not named here counts as internal: neither public nor worth a rule of its own. */
export const UNNAMED_SENSITIVITY = 1

export const SENSITIVITY_DEFAULTS: readonly SensitivityRow[] = [
  {
    sensitivity: 3,
    terms: words('secret secrets secretsmanager credential credentials password passwords passwd vault keyvault keystore apikey apikeys'),
    reason: 'Whoever reads a secret can act as its owner elsewhere.',
  },
  {
    sensitivity: 3,
    terms: words('hr hris payroll salary salaries compensation personnel workday employee employees'),
    reason: 'Data about employees: labour and privacy law, and of use to few.',
  },
  {
    sensitivity: 3,
    terms: words('medical patient patients clinical phi ehr emr diagnosis healthcare prescription prescriptions'),
    reason: 'Health data is a special category in privacy law.',
  },
  {
    sensitivity: 3,
    terms: words('pii ssn passport passports biometric biometrics cardholder pci kyc'),
    reason: 'Names a person beyond doubt or lets somebody impersonate them.',
  },
  {
    sensitivity: 2,
    terms: words(
      'finance financial financials accounting ledger invoice invoices payment payments bank banking treasury billing tax taxes',
    ),
    reason: 'Money moves or is accounted for here.',
  },
  {
    sensitivity: 2,
    terms: words('iam identity directory okta entra kms sso saml cognito organizations'),
    reason: 'Decides who may do what; reading it maps the way in.',
  },
  {
    sensitivity: 2,
    terms: words('legal contract contracts litigation privileged confidential restricted board merger acquisition audit'),
    reason: 'Confidential by nature or by name.',
  },
  {
    sensitivity: 2,
    terms: words('backup backups snapshot snapshots dump dumps'),
    reason: 'A copy of everything, usually with fewer guards.',
  },
  {
    sensitivity: 0,
    terms: words('web website public internet news weather maps marketing faq'),
    reason: 'Open to anybody; what matters is what it brings in, not what it gives away.',
  },
]

export interface TermRow {
  readonly terms: readonly string[]
  readonly reason: string
}

/** Resource classes whose text somebody outside can write. */
export const UNTRUSTED_CLASSES: readonly TermRow[] = [
  {
    terms: words('web website browser internet url search rss feed feeds social forum'),
    reason: 'Anybody can publish a page.',
  },
  { terms: words('email emails mail inbox messaging sms chat mailbox'), reason: 'Anybody can write to an address.' },
  {
    terms: words(
      'ticket tickets ticketing zendesk helpdesk servicedesk intercom review reviews comment comments survey surveys form forms',
    ),
    reason: 'Customers fill these in.',
  },
  {
    terms: words('external upload uploads attachment attachments inbound download downloads'),
    reason: 'Documents that came from outside.',
  },
]

/** Words of an action that say it reads what outsiders wrote, whatever the class is called. */
export const UNTRUSTED_ACTION_WORDS: readonly TermRow[] = [
  { terms: words('browse webpage website web url crawl scrape rss'), reason: 'Reads a page of the web.' },
  {
    terms: words('inbox unread received email emails mail mails attachment attachments'),
    reason: 'Reads mail somebody sent.',
  },
  { terms: words('ticket tickets review reviews'), reason: 'Reads what a customer wrote.' },
]

/** Words that say the text is one's own although class or action sound untrusted. */
export const OWN_TEXT_WORDS: readonly string[] = words('sent draft drafts outbox settings labels folders')

/** Classes of sources that know no classes. */
export const GENERIC_CLASSES: readonly string[] = words('tool tools other unknown function resource')

/** Verbs that change or move something. The first verb of an action decides. */
export const WRITE_VERBS: readonly string[] = words(
  'add approve archive assign attach authorize book cancel change commit copy create delete deploy deregister detach disable ' +
    'dispatch drop edit enable export fill forward grant import input insert invite merge modify move notify order patch pay ' +
    'post publish purchase push put register remove rename replace reply reschedule reset restore revoke save schedule send ' +
    'set share start stop store submit sync tag terminate transfer trigger truncate tweet unassign untag update upload upsert ' +
    'wire write',
)

export const READ_VERBS: readonly string[] = words(
  'access analyze browse calculate check compare count crawl decrypt describe download explain fetch find get head inspect ' +
    'list load lookup open peek preview query read recall receive retrieve scan scrape search select show summarize test think ' +
    'validate verify view watch',
)

/** Nouns that are the act itself when an action has no verb at all: `email`, `sms.customer`. */
export const WRITE_NOUNS: readonly string[] = words('email fax message sms webhook')

/** Verbs that hand something to somebody else, as against changing it in place. */
export const SENDING_VERBS: readonly string[] = words(
  'dispatch email export fax forward input message pay post publish push put reply send share sms submit transfer tweet ' +
    'upload webhook wire',
)

/** Classes that reach outsiders when an event does not say where its data went. */
export const OUTWARD_CLASSES: readonly string[] = words(
  'web website internet email mail messaging sms social payment payments webhook webhooks external',
)

/** Ends of host names that nobody outside can own (RFC 2606, 6762, 8375, and habit). */
export const INTERNAL_HOST_SUFFIXES: readonly string[] = words(
  'localhost local localdomain internal intranet corp lan home private svc home.arpa',
)
