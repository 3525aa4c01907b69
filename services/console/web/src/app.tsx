import { useEffect } from 'preact/hooks'
import { Guide } from './guide/guide.tsx'
import { route } from './route.ts'
import { load, needsToken } from './state.ts'
import { AlertDetailView } from './views/alert-detail.tsx'
import { AlertList } from './views/alert-list.tsx'
import { Changes } from './views/changes.tsx'
import { DeadLetters } from './views/dead-letters.tsx'
import { Identities } from './views/identities.tsx'
import { Incidents } from './views/incidents.tsx'
import { IdentityDetail } from './views/identity-detail.tsx'
import { TokenGate } from './views/token-gate.tsx'
import { TopBar } from './views/top-bar.tsx'
import { Empty } from './parts/bits.tsx'

function Side() {
  const at = route.value
  switch (at.view) {
    case 'alert':
      return <AlertDetailView key={at.id} id={at.id} />
    case 'identity':
      return <IdentityDetail key={`${at.tenant} ${at.id}`} tenant={at.tenant} id={at.id} />
    case 'identities':
      return <Identities />
    case 'incidents':
      return <Incidents />
    case 'changes':
      return <Changes />
    case 'dead-letters':
      return <DeadLetters />
    default:
      return (
        <Empty title="Choose an alert">
          Its reasons, what is normal for the identity, and the events behind it show here. What goes over several identities is under{' '}
          <a href="#/incidents">Incidents</a>, what deploys announced under <a href="#/changes">Changes</a>.
        </Empty>
      )
  }
}

export function App() {
  const locked = needsToken.value
  const at = route.value
  useEffect(() => {
    if (!locked) void load(false)
  }, [locked])
  // On a narrow screen the chosen view takes the place of the list; bring its start into sight.
  useEffect(() => {
    if (at.view !== 'home') document.getElementById('side')?.scrollTo(0, 0)
  }, [at])
  if (locked) return <TokenGate />
  return (
    <>
      <a class="skip" href="#list" onClick={(event) => (event.preventDefault(), document.getElementById('list')?.focus())}>
        To the alerts
      </a>
      <TopBar />
      <Guide />
      <main class={at.view === 'home' ? 'main' : 'main main-chosen'}>
        <AlertList />
        <section id="side" class="side" aria-label="Details" tabIndex={-1}>
          <Side />
        </section>
      </main>
    </>
  )
}
