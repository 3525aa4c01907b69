import type { DemoOptions } from '@plumbline/schemas'
import { useEffect, useState } from 'preact/hooks'
import { get, words } from '../api.ts'
import { status } from '../state.ts'
import { play, tried } from './attempt.ts'
import { Outcome } from './outcome.tsx'

interface Choice {
  readonly attack: string
  readonly agent: string
  readonly size: number
  readonly benign: boolean
}

function useOptions(): { options: DemoOptions | null; problem: string } {
  const [options, set] = useState<DemoOptions | null>(null)
  const [problem, say] = useState('')
  const demo = status.value?.demo
  const ready = status.value?.ready
  const phase = status.value?.phase
  useEffect(() => {
    if (demo !== true) {
      set(null)
      say(demo === undefined ? 'Connecting…' : 'There is no demo, or it was removed. Connect an agent of your own to go on.')
      return
    }
    if (options !== null) return
    let current = true
    get<DemoOptions>('/v1/demo/options').then(
      (value) => {
        if (current) set(value)
      },
      (error: unknown) => {
        if (current) say(words(error))
      },
    )
    return () => {
      current = false
    }
  }, [demo, ready, phase])
  return { options, problem }
}

function firstChoice(options: DemoOptions): Choice {
  const first = options.attacks[0]
  return {
    attack: first?.id ?? '',
    agent: first?.agents[0] ?? options.agents[0]?.id ?? '',
    size: first?.size ?? 10,
    benign: false,
  }
}

/** Shown until the chosen act is played. */
function idleWords(options: DemoOptions, choice: Choice): string {
  const attack = options.attacks.find((each) => each.id === choice.attack)
  if (attack === undefined) return ''
  if (choice.benign) return `${attack.benign} It should stay quiet.`
  const proposed = choice.size === attack.size && choice.agent === attack.agents[0]
  return `${attack.story} ${proposed ? 'It should alert' : 'Where it is far from the usual, it alerts'} within two seconds.`
}

/** In the order of the act: the one it proposes first. */
const inOrder = (ids: readonly string[], all: DemoOptions['agents']): DemoOptions['agents'] =>
  ids.flatMap((id) => all.find((agent) => agent.id === id) ?? [])

interface PickProps {
  readonly label: string
  readonly value: string
  readonly list: readonly { readonly value: string; readonly text: string }[]
  readonly pick: (value: string) => void
}

const Pick = ({ label, value, list, pick }: PickProps) => (
  <label>
    {label}
    <select value={value} onChange={(event) => pick(event.currentTarget.value)}>
      {list.map((each) => (
        <option key={each.value} value={each.value}>
          {each.text}
        </option>
      ))}
    </select>
  </label>
)

function Form({ options }: { options: DemoOptions }) {
  const [choice, choose] = useState(() => firstChoice(options))
  const [played, setPlayed] = useState<Choice | null>(null)
  const attack = options.attacks.find((each) => each.id === choice.attack)
  const agents = attack === undefined || attack.agents.length === 0 ? options.agents : inOrder(attack.agents, options.agents)
  const busy = tried.value?.phase === 'sending' || tried.value?.phase === 'waiting'
  const chooseAttack = (id: string) => {
    const next = options.attacks.find((each) => each.id === id)
    // The proposal of the act, not what the one before left: that one alerts.
    choose({ ...choice, attack: id, agent: next?.agents[0] ?? choice.agent, size: next?.size ?? choice.size })
  }
  const submit = (event: Event) => {
    event.preventDefault()
    if (busy) return
    setPlayed(choice)
    void play(tried, choice)
  }
  return (
    <form class="try" onSubmit={submit}>
      <Pick
        label="Act"
        value={choice.attack}
        list={options.attacks.map(({ id, name }) => ({ value: id, text: name }))}
        pick={chooseAttack}
      />
      <Pick
        label="Who"
        value={choice.agent}
        list={agents.map(({ id, role }) => ({ value: id, text: role === 'person' ? `${id} (person)` : id }))}
        pick={(agent) => choose({ ...choice, agent })}
      />
      <div class="try-last">
        <Pick
          label="Size"
          value={String(choice.size)}
          list={options.sizes.map(({ value, label }) => ({ value: String(value), text: label }))}
          pick={(size) => choose({ ...choice, size: Number(size) })}
        />
        <fieldset class="twins">
          <legend class="visually-hidden">Which</legend>
          <label>
            <input type="radio" name="twin" checked={!choice.benign} onChange={() => choose({ ...choice, benign: false })} /> Attack
          </label>
          <label>
            <input type="radio" name="twin" checked={choice.benign} onChange={() => choose({ ...choice, benign: true })} /> Harmless twin
          </label>
        </fieldset>
        <button type="submit" class="primary" disabled={busy}>
          {busy ? 'Playing…' : 'Play it'}
        </button>
      </div>
      <Outcome attempt={played === choice ? tried.value : null} idle={idleWords(options, choice)} />
    </form>
  )
}

export function TryIt() {
  const { options, problem } = useOptions()
  return (
    <section class="panel" aria-labelledby="try-title">
      <h2 id="try-title">
        <span class="step">1</span> Try it
      </h2>
      {options === null ? <p class="story">{problem}</p> : <Form options={options} />}
    </section>
  )
}
