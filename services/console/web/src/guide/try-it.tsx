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
      say(demo === undefined ? 'Connecting…' : 'The demo was removed. Connect an agent of your own to go on.')
      return
    }
    if (options !== null) return
    let current = true
    get<DemoOptions>('/v1/demo/options').then(
      (value) => current && (set(value), say('')),
      (error: unknown) => current && say(words(error)),
    )
    return () => {
      current = false
    }
  }, [demo, ready, phase])
  return { options, problem }
}

function Form({ options }: { options: DemoOptions }) {
  const first = options.attacks[0]
  const [choice, set] = useState<Choice>({
    attack: first?.id ?? '',
    agent: first?.agents[0] ?? options.agents[0]?.id ?? '',
    size: options.sizes[Math.floor(options.sizes.length / 2)]?.value ?? 10,
    benign: false,
  })
  const attack = options.attacks.find((each) => each.id === choice.attack)
  const agents = options.agents.filter((agent) => attack === undefined || attack.agents.length === 0 || attack.agents.includes(agent.id))
  const busy = tried.value?.phase === 'sending' || tried.value?.phase === 'waiting'
  const choose = (id: string) => {
    const next = options.attacks.find((each) => each.id === id)
    const fits = next === undefined || next.agents.length === 0 || next.agents.includes(choice.agent)
    set({ ...choice, attack: id, agent: fits ? choice.agent : (next.agents[0] ?? choice.agent) })
  }
  const submit = (event: Event) => {
    event.preventDefault()
    if (!busy) void play(tried, choice)
  }
  return (
    <form class="try" onSubmit={submit}>
      <label>
        Act
        <select value={choice.attack} onChange={(event) => choose(event.currentTarget.value)}>
          {options.attacks.map((each) => (
            <option key={each.id} value={each.id}>
              {each.name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Who
        <select value={choice.agent} onChange={(event) => set({ ...choice, agent: event.currentTarget.value })}>
          {agents.map((agent) => (
            <option key={agent.id} value={agent.id}>
              {agent.id} ({agent.role})
            </option>
          ))}
        </select>
      </label>
      <label>
        Size
        <select value={String(choice.size)} onChange={(event) => set({ ...choice, size: Number(event.currentTarget.value) })}>
          {options.sizes.map((size) => (
            <option key={size.value} value={String(size.value)}>
              {size.label}
            </option>
          ))}
        </select>
      </label>
      <fieldset class="twins">
        <legend class="visually-hidden">Which</legend>
        <label>
          <input type="radio" name="twin" checked={!choice.benign} onChange={() => set({ ...choice, benign: false })} /> The attack
        </label>
        <label>
          <input type="radio" name="twin" checked={choice.benign} onChange={() => set({ ...choice, benign: true })} /> Its harmless twin
        </label>
      </fieldset>
      <p class="story">{choice.benign ? attack?.benign : attack?.story}</p>
      <button type="submit" class="primary" disabled={busy}>
        {busy ? 'Playing…' : 'Play it'}
      </button>
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
      {options !== null && (
        <Outcome attempt={tried.value} idle="An attack should alert within two seconds; its harmless twin should stay quiet." />
      )}
    </section>
  )
}
