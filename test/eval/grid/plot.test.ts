import assert from 'node:assert/strict'
import { test } from 'node:test'
import { svgPlot } from './plot.ts'

const plot = (points: { x: number; y: number }[]): string =>
  svgPlot({ title: 'a < b', xLabel: 'x', yLabel: 'y', series: [{ name: 'one & two', points }] })

test('text is escaped, and the file is one svg element', () => {
  const svg = plot([
    { x: 0, y: 1 },
    { x: 1, y: 2 },
  ])
  assert.match(svg, /^<svg xmlns[^>]*>[\s\S]*<\/svg>\n$/)
  assert.match(svg, /a &lt; b/)
  assert.match(svg, /one &amp; two/)
})

test('a larger value is drawn further right and further up, inside the frame', () => {
  const svg = plot([
    { x: 0, y: 50 },
    { x: 3, y: 90 },
  ])
  const [first, second] = (/points="([^"]+)"/.exec(svg)?.[1] ?? '')
    .split(' ')
    .map((pair) => pair.split(',').map(Number))
  const [x1, y1, x2, y2] = [...(first ?? []), ...(second ?? [])] as [number, number, number, number]
  assert.ok(x1 < x2 && y2 < y1)
  for (const [value, limit] of [
    [x2, 720],
    [y1, 440],
  ] as const) {
    assert.ok(value > 0 && value < limit)
  }
})

test('equal values do not divide by zero', () => {
  assert.doesNotMatch(plot([{ x: 2, y: 2 }]), /NaN|Infinity/)
})
