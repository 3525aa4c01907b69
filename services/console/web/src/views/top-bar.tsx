import { useState } from 'preact/hooks'
import { call, words } from '../api.ts'
import { amount } from '../format.ts'
import { chooseTenant, connected, counts, dropTenant, everConnected, filter, showHeldBack, status, tenants } from '../state.ts'

type Theme = 'auto' | 'light' | 'dark'
const THEMES: readonly Theme[] = ['auto', 'light', 'dark']
const THEME_WORDS: Readonly<Record<Theme, string>> = { auto: 'auto', light: 'light', dark: 'dark' }

function ThemeSwitch() {
  const [theme, set] = useState<Theme>(() => THEMES.find((name) => name === localStorage.getItem('plumbline.theme')) ?? 'auto')
  document.documentElement.dataset['theme'] = theme
  const next = () => {
    const chosen = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto'
    localStorage.setItem('plumbline.theme', chosen)
    set(chosen)
    dispatchEvent(new Event('plumbline-theme'))
  }
  return (
    <button type="button" class="quiet theme" onClick={next} aria-label={`Colours: ${THEME_WORDS[theme]}. Change`}>
      Theme: {THEME_WORDS[theme]}
    </button>
  )
}

function DemoBadge() {
  const [removing, setRemoving] = useState(false)
  const [problem, say] = useState('')
  if (status.value?.demo !== true) return null
  const remove = async () => {
    setRemoving(true)
    try {
      await call('DELETE', '/v1/demo')
      dropTenant('demo')
      say('')
    } catch (error) {
      say(words(error))
    } finally {
      setRemoving(false)
    }
  }
  return (
    <span class="demo">
      <span class="demo-badge" title="A generated company in a tenant of its own. It never touches what is learned from your events.">
        Demo data
      </span>
      <button
        type="button"
        class="small danger"
        disabled={removing}
        title="At once and for good: the demo company's events, alerts and model. Yours are not touched."
        onClick={() => void remove()}
      >
        {removing ? 'Removing…' : 'Remove demo for good'}
      </button>
      {problem !== '' && <span role="alert">{problem}</span>}
    </span>
  )
}

const Figure = ({
  label,
  value,
  hint,
  href,
  onOpen,
  warn = false,
}: {
  label: string
  value: string
  hint: string
  href?: string
  onOpen?: () => void
  warn?: boolean
}) => (
  <div class={warn ? 'figure figure-warn' : 'figure'} title={hint}>
    <dt>
      {href === undefined ? (
        label
      ) : (
        <a href={href} onClick={onOpen}>
          {label}
        </a>
      )}
    </dt>
    <dd>{value}</dd>
  </div>
)

function Figures() {
  const now = status.value
  const mine = counts.value
  const show = (value: number | undefined) => (value === undefined ? '–' : amount(value))
  return (
    <dl class="figures">
      <Figure label="Events/s" value={show(now?.eventsPerSecond)} hint="Events scored in the last second, of all tenants" />
      <Figure label="Alerts today" value={show(mine?.alerts)} hint="New alerts since 00:00 UTC" />
      <Figure
        label="Held back today"
        value={show(mine?.held)}
        hint="Unusual, but beyond the alert budget of the day, which begins at 00:00 UTC; opens them, worst first"
        href="#/"
        onOpen={() => showHeldBack(true)}
      />
      <Figure label="Identities" value={show(mine?.identities)} hint="Agents, people and services seen" href="#/identities" />
      <Figure
        label="Refused"
        value={show(mine?.deadLetters)}
        hint="Events that could not be read; each is kept with its reason"
        href="#/dead-letters"
        warn={(mine?.deadLetters ?? 0) > 0}
      />
      <Figure
        label="Recorder lag"
        value={show(now?.recorderLag)}
        hint="Rows that are not in ClickHouse yet, of all tenants"
        warn={(now?.recorderLag ?? 0) > 100_000}
      />
      {(now?.sinks ?? [])
        .filter(({ waiting, refused }) => waiting || refused > 0)
        .map(({ name, waiting, refused, problem }) => (
          <Figure key={name} label={`Alerts to ${name}`} value={waiting ? 'waiting' : `${refused} refused`} hint={problem ?? ''} warn />
        ))}
    </dl>
  )
}

const untrainedWords = (names: readonly string[]): string =>
  `No model trained yet for ${names.length === 1 ? names[0] : `${names.length} tenants`}: statistics alone score`

const heldWords = (names: readonly string[]): string =>
  `The newest model of ${names.length === 1 ? names[0] : `${names.length} tenants`} was held back, the one before goes on`

/** What is to be said of the models in force; nothing while they are as they should be. */
const modelWords = (models: readonly { readonly tenant: string; readonly trained: boolean; readonly held: string | null }[]): string => {
  const untrained = models.filter((model) => !model.trained).map((model) => model.tenant)
  if (untrained.length > 0) return untrainedWords(untrained)
  const held = models.filter((model) => model.held !== null).map((model) => model.tenant)
  return held.length > 0 ? heldWords(held) : ''
}

function Phase() {
  const now = status.value
  const lost = everConnected.value && !connected.value
  const text = lost ? 'Connection lost. Trying again…' : (now?.phase ?? 'Connecting…')
  const progress = lost ? null : (now?.progress ?? null)
  const { tenant } = filter.value
  const models = (now?.model ?? []).filter((model) => tenant === '' || model.tenant === tenant)
  return (
    <div class={lost ? 'phase phase-lost' : 'phase'} role="status">
      <span class={`dot ${lost ? 'dot-lost' : now?.ready === true ? 'dot-ready' : 'dot-busy'}`} />
      <span class="phase-text">{text}</span>
      {progress !== null && <span class="phase-percent">{Math.floor(progress * 100)} %</span>}
      <span class="phase-model">{lost ? '' : modelWords(models)}</span>
      <progress class={progress === null ? 'phase-bar phase-bar-idle' : 'phase-bar'} max={1} value={progress ?? 0} aria-label="Progress" />
    </div>
  )
}

function TenantSwitch() {
  if (tenants.value.length < 2) return null
  return (
    <label class="tenant">
      <span class="visually-hidden">Tenant</span>
      <select value={filter.value.tenant} onChange={(event) => chooseTenant(event.currentTarget.value)}>
        <option value="">All tenants</option>
        {tenants.value.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  )
}

export function TopBar() {
  return (
    <header class="top">
      <div class="top-row">
        <a class="brand" href="#/">
          <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
            <rect width="32" height="32" rx="7" class="brand-box" />
            <path d="M16 5v13" stroke="#fff" stroke-width="2" stroke-linecap="round" />
            <path d="M16 17l4.5 4.5L16 28l-4.5-6.5z" class="brand-bob" />
          </svg>
          <h1>Plumbline</h1>
        </a>
        <TenantSwitch />
        <DemoBadge />
        <Figures />
        <ThemeSwitch />
      </div>
      <Phase />
    </header>
  )
}
