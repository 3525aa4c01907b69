import { nameText } from './words-names.ts'
import { takeText, type Teller } from './words-tools.ts'

/** An act across two segments that the policy lets nothing go between. */
export const forbiddenWay: Teller = (t) => {
  const { object = '', previous = '' } = t.reason
  const way = `from segment ${nameText(previous)} into segment ${nameText(object)}`
  return {
    did: takeText(t, ` ${way}, which the policy does not allow`),
    never: `never went ${way}`,
    usually: undefined,
    why:
      t.facts.outcome === 'success'
        ? 'the policy keeps the two apart and nothing stopped it'
        : 'the two were kept apart, but somebody tried',
    step: `block its way ${way}`,
    quiet: `had the policy listed the way ${way}, or an exception named it`,
  }
}
