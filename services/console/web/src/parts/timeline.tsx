import type { IdentityView } from '@plumbline/schemas'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { get } from '../api.ts'
import { amount, atLeastADay, bytes, clock, tick } from '../format.ts'
import { useRead } from './bits.tsx'

const HEIGHT = 170
type Hour = IdentityView['timeline'][number]

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

function options(width: number, mark: number | undefined, cursorAt: (index: number | null) => void): uPlot.Options {
  const axis = {
    stroke: () => colour('--muted'),
    grid: { stroke: () => colour('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui',
  }
  const bars = uPlot.paths.bars?.({ size: [0.8, 24] })
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { show: false } },
    scales: {
      x: { time: true, range: (_u, from, to) => atLeastADay(from, to) },
      events: { range: (_u, _min, max) => [0, Math.max(4, max * 1.1)] },
      score: { range: [0, 105] },
    },
    axes: [
      { ...axis, size: 26, space: 76, values: (_plot, splits, _axis, _space, step) => splits.map((at) => tick(at * 1000, step)) },
      { ...axis, scale: 'events', size: 46, space: 34 },
      { ...axis, scale: 'score', side: 1, size: 34, grid: { show: false }, splits: [0, 50, 100] },
    ],
    series: [
      {},
      {
        scale: 'events',
        stroke: () => colour('--bar'),
        fill: () => colour('--bar'),
        width: 0,
        points: { show: false },
        ...(bars !== undefined && { paths: bars }),
      },
      { scale: 'score', stroke: () => colour('--accent'), width: 1.5, points: { show: false } },
      {
        scale: 'score',
        stroke: () => colour('--critical'),
        fill: () => colour('--critical'),
        width: 0,
        paths: () => null,
        points: { show: true, size: 7, width: 0, fill: () => colour('--critical') },
      },
    ],
    hooks: {
      setCursor: [(plot) => cursorAt(plot.cursor.idx ?? null)],
      draw: [
        (plot) => {
          if (mark === undefined) return
          const x = Math.round(plot.valToPos(mark / 1000, 'x', true))
          if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) return
          plot.ctx.save()
          plot.ctx.strokeStyle = colour('--critical')
          plot.ctx.setLineDash([4, 4])
          plot.ctx.beginPath()
          plot.ctx.moveTo(x, plot.bbox.top)
          plot.ctx.lineTo(x, plot.bbox.top + plot.bbox.height)
          plot.ctx.stroke()
          plot.ctx.restore()
        },
      ],
    },
  }
}

const columns = (hours: readonly Hour[]): uPlot.AlignedData => [
  hours.map((hour) => hour.time / 1000),
  hours.map((hour) => hour.events),
  hours.map((hour) => (hour.events === 0 ? null : hour.maxScore)),
  hours.map((hour) => (hour.alerts === 0 ? null : Math.max(hour.maxScore, 1))),
]

function hourWords(hour: Hour): string {
  const parts = [`${clock(hour.time)}: ${amount(hour.events)} events`, `${bytes(hour.bytesOut)} sent`]
  if (hour.events > 0) parts.push(`most unusual ${Math.round(hour.maxScore)} of 100`)
  if (hour.alerts > 0) parts.push(`${hour.alerts} ${hour.alerts === 1 ? 'alert' : 'alerts'}`)
  return parts.join(', ')
}

function summary(hours: readonly Hour[]): string {
  const events = hours.reduce((sum, hour) => sum + hour.events, 0)
  const worst = hours.reduce((max, hour) => Math.max(max, hour.maxScore), 0)
  const alerts = hours.reduce((sum, hour) => sum + hour.alerts, 0)
  return `${amount(events)} events over ${hours.length} hours, most unusual ${Math.round(worst)} of 100, ${alerts} ${alerts === 1 ? 'alert' : 'alerts'}`
}

/** Events per hour as bars, the most unusual of each hour as a line (right scale), hours with alerts as dots. */
export function Timeline({ hours, mark }: { hours: readonly Hour[]; mark?: number | undefined }) {
  const box = useRef<HTMLDivElement>(null)
  const readout = useRef<HTMLParagraphElement>(null)
  useEffect(() => {
    const host = box.current
    if (host === null || hours.length === 0) return
    const say = (index: number | null) => {
      const hour = index === null ? undefined : hours[index]
      if (readout.current !== null) readout.current.textContent = hour === undefined ? summary(hours) : hourWords(hour)
    }
    const plot = new uPlot(options(host.clientWidth, mark, say), columns(hours), host)
    say(null)
    const resize = new ResizeObserver(() => plot.setSize({ width: host.clientWidth, height: HEIGHT }))
    resize.observe(host)
    const redraw = () => requestAnimationFrame(() => plot.redraw())
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    scheme.addEventListener('change', redraw)
    addEventListener('plumbline-theme', redraw)
    return () => {
      resize.disconnect()
      scheme.removeEventListener('change', redraw)
      removeEventListener('plumbline-theme', redraw)
      plot.destroy()
    }
  }, [hours, mark])
  return (
    <figure class="timeline">
      <div ref={box} class="timeline-box" role="img" aria-label={summary(hours)} />
      <figcaption>
        <span class="key key-bar">events an hour</span>
        <span class="key key-line">most unusual, of 100</span>
        <span class="key key-dot">alert</span>
        <p ref={readout} class="note">
          {' '}
        </p>
      </figcaption>
    </figure>
  )
}

/** The timeline of one identity, for the alert's page. */
export function IdentityTimeline({ tenant, identity, mark }: { tenant: string; identity: string; mark: number }) {
  const path = `/v1/identities/${encodeURIComponent(identity)}?tenant=${encodeURIComponent(tenant)}`
  const read = useRead(path, () => get<IdentityView>(path))
  const hours = read.value?.timeline ?? []
  return (
    <section class="block">
      <h3>Its last days</h3>
      {hours.length > 0 ? (
        <Timeline hours={hours} mark={mark} />
      ) : (
        <div class="timeline-empty">{read.error === null && read.value === null ? 'Loading…' : 'Not in the store yet.'}</div>
      )}
    </section>
  )
}
