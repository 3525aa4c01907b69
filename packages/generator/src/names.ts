const FIRST =
  'maria jonas aylin peter sofia lukas emma david nadia tom priya karim elena oscar hanna miguel julia erik leila martin zoe anton clara rahul ines felix yuki paul nora samir greta viktor amira simon lea dmitri alice hugo mina carlos ida bruno tara stefan olga noah rosa adam vera liam eva jan mei robert sara kofi anna marco lucy ben irina max pia omar kate'.split(
    ' ',
  )
const LAST =
  'keller nowak meier costa lindqvist okafor brandt silva huber rossi novak weber patel jensen moreau fischer tanaka haas kowalski romero schulz iyer berg dubois lang petrov ahmed wolf garcia vogel larsen khan bauer santos koch ito maier lopez frank singh roth marin winter cohen stein popov lund ferrari kruger mbeki hahn vidal arnold dogan beck sato graf reyes kunz malik seidel cruz engel'.split(
    ' ',
  )
const LEFT =
  'amber north blue cedar delta ever field golden harbor iron jade kestrel lumen maple noble ocean pine quartz river silver tidal union velvet willow zenith alder bright copper drift ember fern granite hollow indigo juniper knoll lark meadow nova onyx prairie raven sable terra umber vista wren aspen birch coral dune echo flint grove haven isle keel lotus mist opal pearl ridge'.split(
    ' ',
  )
const RIGHT =
  'works labs data soft trade media logic freight tools care foods bank energy press parts systems travel design health metals paper motors yards studio farms optics retail legal build group link point stone wave gate path forge craft bridge line mark port view well crest field ford hill mill park rock shore spring tower vale ware wick yard zone net hub box cloud drive'.split(
    ' ',
  )
const TAIL = ['', '-group', '-int', '-online', '-eu', '-us', '-co', '-hq']

/** Size of the pool of outside domains. */
export const DOMAINS = LEFT.length * RIGHT.length * TAIL.length

const domains: (string | undefined)[] = new Array(DOMAINS)

/** One of the outside companies, like `cedar-freight.example`. */
export const domainName = (i: number): string => {
  const known = domains[i]
  if (known !== undefined) return known
  const left = LEFT[i % LEFT.length]!
  const right = RIGHT[Math.floor(i / LEFT.length) % RIGHT.length]!
  const made = `${left}-${right}${TAIL[Math.floor(i / (LEFT.length * RIGHT.length))]!}.example`
  domains[i] = made
  return made
}

const PEOPLE = FIRST.length * LAST.length

/** The i-th person of a company, like `maria.keller`; unique for every i. `start` says where in the register it begins. */
export const personName = (start: number, i: number): string => {
  const k = (((start % PEOPLE) + i) * 2_741) % PEOPLE
  const name = `${FIRST[k % FIRST.length]!}.${LAST[Math.floor(k / FIRST.length)]!}`
  return i < PEOPLE ? name : `${name}${Math.floor(i / PEOPLE) + 1}`
}
