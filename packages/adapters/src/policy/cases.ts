import { compilePolicy, isWrite } from '@plumbline/detector/policy'
import { type Policy, REASON_FAMILIES } from '@plumbline/schemas'
import { z } from 'zod'

const text = z.string().min(1).max(512)

/** What a policy is expected to say of one act; `plumbline policy test` reads a list of them. Only stated expectations are checked. */
export const PolicyCase = z.strictObject({
  name: text,
  identity: text.default('nobody'),
  action: text.default('read'),
  class: text.default('other'),
  resource: text.optional(),
  destination: text.optional(),
  from: text.optional().meta({ description: 'Segment it acts from.' }),
  to: text.optional().meta({ description: 'Segment it reaches.' }),
  family: z.enum(REASON_FAMILIES).default('combination').meta({ description: 'Reason family an exception would quiet.' }),
  time: z.iso.datetime({ offset: true }).optional().meta({ description: 'When; needed for exceptions and maintenance.' }),
  expect: z.strictObject({
    class: text.optional(),
    sensitivity: z.number().int().min(0).max(3).optional(),
    segment: text.nullable().optional(),
    untrusted: z.boolean().optional(),
    external: z.boolean().optional(),
    rule: z.enum(['allow', 'deny', 'none']).optional(),
    owner: text.nullable().optional(),
    criticality: z.number().int().optional(),
    peerGroup: text.nullable().optional(),
    exception: text.nullable().optional().meta({ description: 'Id of the exception that applies, or null for none.' }),
    maintenance: text.nullable().optional(),
    segments: z.enum(['allowed', 'forbidden', 'learned']).optional(),
  }),
})
export type PolicyCase = z.infer<typeof PolicyCase>
export const PolicyCases = z.array(PolicyCase).max(10_000)

export interface CaseResult {
  readonly name: string
  readonly ok: boolean
  readonly differences: readonly { readonly field: string; readonly expected: unknown; readonly got: unknown }[]
}

/** Runs cases against a policy. Pure; times come from the cases alone. */
export const testPolicy = (policy: Policy, cases: readonly PolicyCase[]): readonly CaseResult[] => {
  const compiled = compilePolicy(policy)
  return cases.map((c) => {
    const resource = compiled.resourceOf(c.action, c.resource, c.class, c.destination)
    const identity = compiled.identityOf(c.identity)
    const at = c.time === undefined ? 0 : Date.parse(c.time)
    const allowed = c.from === undefined || c.to === undefined ? undefined : compiled.segmentAllowed(c.from, c.to)
    const got: Readonly<Record<keyof PolicyCase['expect'], unknown>> = {
      class: resource.class,
      sensitivity: resource.sensitivity,
      segment: resource.segment ?? null,
      untrusted: resource.untrusted,
      external: resource.external,
      rule: compiled.ruleVerdict(c.identity, isWrite(c.action) ? 'write' : 'read', resource.class)?.effect ?? 'none',
      owner: identity.owner ?? null,
      criticality: identity.criticality,
      peerGroup: identity.peerGroup ?? null,
      exception: compiled.exceptionFor(c.identity, c.family, resource.class, at) ?? null,
      maintenance: compiled.inMaintenance(c.identity, at) ?? null,
      segments: allowed === undefined ? 'learned' : allowed ? 'allowed' : 'forbidden',
    }
    const differences = Object.entries(c.expect)
      .filter(([field, expected]) => expected !== undefined && got[field as keyof typeof got] !== expected)
      .map(([field, expected]) => ({ field, expected, got: got[field as keyof typeof got] }))
    return { name: c.name, ok: differences.length === 0, differences }
  })
}
