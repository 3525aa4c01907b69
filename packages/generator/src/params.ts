import { PlumblineError } from '@plumbline/schemas'
import { z } from 'zod'
import {
  ATTACK_KINDS,
  type AttackPlan,
  type AttackSpec,
  type BenignDynamics,
  type GenerateOptions,
  HIJACK_VARIANTS,
  LEVELS,
  SPREADS,
  type Tuning,
} from './options.ts'

/** A file of GenerateOptions, as the command line and the bench take it: every field checked, unknown ones refused. */

/** Keys of `T`, none forgotten and none too many. */
type Shape<T> = Record<keyof T, z.ZodType>

const factor = z.number().min(1.01).max(10_000)
const size = z.union([factor, z.tuple([factor, factor]).refine(([from, to]) => from < to, 'must rise')])
const kind = z.enum(ATTACK_KINDS)
const subtlety = z.literal([1, 2, 3, 4, 5])
const cases = z.number().int().min(1).max(1000)
const time = z.union([z.number().int(), z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))])

const attackPlan = z.strictObject({
  kinds: z.array(kind).min(1).optional(),
  subtlety: z.union([subtlety, z.literal('mixed')]).optional(),
  perKind: cases.optional(),
  size: size.optional(),
  labelledDays: z.number().min(0.05).max(400).optional(),
} satisfies Shape<AttackPlan>)

const attackSpec = z.strictObject({
  kind,
  variant: z.enum(HIJACK_VARIANTS).optional(),
  spread: z.enum(SPREADS).optional(),
  subtlety: subtlety.optional(),
  size: size.optional(),
  count: cases.optional(),
  at: time.optional(),
  identity: z.string().min(1).optional(),
  twinOnly: z.boolean().optional(),
} satisfies Shape<AttackSpec>)

const dynamics = z.strictObject({
  deploys: z.boolean().optional(),
  joiners: z.boolean().optional(),
  monthEnd: z.boolean().optional(),
  leave: z.boolean().optional(),
  onCall: z.boolean().optional(),
  mess: z.boolean().optional(),
} satisfies Shape<BenignDynamics>)

const scale = z.number().min(0).max(100).optional()
const tuning = z.strictObject({
  newDestinations: scale,
  failures: scale,
  denials: scale,
  bigOnes: scale,
  rareTools: scale,
  spreadOfSizes: scale,
} satisfies Shape<Tuning>)

const params = z.strictObject({
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 31)
    .optional(),
  startTime: time.optional(),
  days: z.number().min(0.05).max(400).optional(),
  identities: z.number().int().min(10).max(200_000).optional(),
  handoffs: z.boolean().optional(),
  eventsPerIdentityDay: z.number().min(1).max(100_000).optional(),
  tenant: z.string().min(1).max(128).optional(),
  level: z.enum(LEVELS).optional(),
  attacks: z.union([z.literal('none'), attackPlan, z.array(attackSpec).min(1)]).optional(),
  twins: z.boolean().optional(),
  benign: z.union([z.boolean(), dynamics]).optional(),
  peerGroups: z.boolean().optional(),
  arguments: z.boolean().optional(),
  tuning: tuning.optional(),
} satisfies Shape<GenerateOptions>)

interface Issue {
  readonly code?: string | undefined
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly keys?: readonly string[]
  readonly errors?: readonly (readonly Issue[])[]
}

/** The complaint of the alternative that got furthest, with its whole path: "attacks.perKind", not "attacks: invalid input". */
const deepest = (issue: Issue): Issue => {
  if (issue.errors === undefined) return issue
  const inner = issue.errors.flatMap((alternative) => alternative.slice(0, 1).map(deepest))
  const best = inner.toSorted((a, b) => weight(b) - weight(a))[0]
  return best === undefined || weight(best) === 0 ? issue : { ...best, path: [...issue.path, ...best.path] }
}

/** 0: another type altogether, which says nothing of what was meant. */
const weight = (issue: Issue): number => issue.path.length * 2 + (issue.code === 'unrecognized_keys' ? 1 : 0)

const words = (issue: Issue): string => {
  const { path, message, keys } = deepest(issue)
  const place = [...path, ...(keys?.slice(0, 1) ?? [])].map(String).join('.')
  if (keys !== undefined) return `${place} is no option; see GenerateOptions in packages/generator/src/options.ts for those there are`
  return `${place === '' ? 'the file' : place}: ${message}`
}

const refuse = (what: string): PlumblineError => new PlumblineError('GENERATOR_OPTIONS', what)

/** Options from the text of a JSON file. Throws GENERATOR_OPTIONS, naming the first field that is wrong and what it may be. */
export const parseParams = (text: string): GenerateOptions => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw refuse(`the file is no JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  const checked = params.safeParse(json)
  if (!checked.success) throw refuse(words(checked.error.issues[0] as Issue))
  // JSON has no undefined: what is absent is absent.
  return checked.data as GenerateOptions
}
