/** Line plots as plain SVG: two small figures need no library, and diffs of them can be read. */

export interface Series {
  readonly name: string
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

export interface Plot {
  readonly title: string
  readonly xLabel: string
  readonly yLabel: string
  readonly series: readonly Series[]
  /** A dashed horizontal line to compare with. */
  readonly reference?: { readonly name: string; readonly y: number }
}

const WIDTH = 720
const HEIGHT = 440
const LEFT = 70
const RIGHT = 200
const TOP = 40
const BOTTOM = 55
/** Colour-blind safe (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000']
const TICKS = 5

type Scale = (value: number) => number

export function svgPlot(plot: Plot): string {
  const points = plot.series.flatMap((series) => series.points)
  const xs = points.map((point) => point.x)
  const ys = [...points.map((point) => point.y), ...(plot.reference ? [plot.reference.y] : [])]
  const xRange = paddedRange(xs)
  const yRange = paddedRange(ys)
  const x = scale(xRange, LEFT, WIDTH - RIGHT)
  const y = scale(yRange, HEIGHT - BOTTOM, TOP)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${escape(plot.title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${LEFT}" y="22" font-size="15">${escape(plot.title)}</text>`,
    ...axes(plot, { xRange, yRange, x, y }),
    ...(plot.reference ? reference(plot.reference, y) : []),
    ...plot.series.flatMap((series, index) => line(series, index, { x, y })),
    '</svg>',
    '',
  ].join('\n')
}

function paddedRange(values: readonly number[]): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const margin = (high - low || Math.abs(high) || 1) * 0.05
  return [low - margin, high + margin]
}

function scale([low, high]: readonly [number, number], from: number, to: number): Scale {
  return (value) => from + ((value - low) / (high - low)) * (to - from)
}

function axes(
  plot: Plot,
  {
    xRange,
    yRange,
    x,
    y,
  }: { xRange: [number, number]; yRange: [number, number]; x: Scale; y: Scale },
): string[] {
  const bottom = HEIGHT - BOTTOM
  const middle = (TOP + bottom) / 2
  return [
    `<path d="M${LEFT} ${TOP}V${bottom}H${WIDTH - RIGHT}" fill="none" stroke="#444444"/>`,
    ...ticks(xRange).map(
      (value) =>
        `<text x="${fixed(x(value))}" y="${bottom + 18}" text-anchor="middle">${label(value)}</text>`,
    ),
    ...ticks(yRange).flatMap((value) => [
      `<path d="M${LEFT} ${fixed(y(value))}H${WIDTH - RIGHT}" stroke="#dddddd"/>`,
      `<text x="${LEFT - 8}" y="${fixed(y(value) + 4)}" text-anchor="end">${label(value)}</text>`,
    ]),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 14}" text-anchor="middle">${escape(plot.xLabel)}</text>`,
    `<text transform="translate(18 ${middle}) rotate(-90)" text-anchor="middle">${escape(plot.yLabel)}</text>`,
  ]
}

/** Round values inside the range, about TICKS of them. */
function ticks([low, high]: readonly [number, number]): number[] {
  const rough = (high - low) / TICKS
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough) ?? rough
  const first = Math.ceil(low / step)
  const count = Math.floor(high / step) - first + 1
  return Array.from({ length: count }, (_, index) => (first + index) * step)
}

function reference({ name, y: value }: { name: string; y: number }, y: Scale): string[] {
  const height = fixed(y(value))
  return [
    `<path d="M${LEFT} ${height}H${WIDTH - RIGHT}" stroke="#000000" stroke-dasharray="5 4"/>`,
    `<text x="${WIDTH - RIGHT + 8}" y="${height}">${escape(name)}</text>`,
  ]
}

function line(series: Series, index: number, { x, y }: { x: Scale; y: Scale }): string[] {
  const colour = COLOURS[index % COLOURS.length] as string
  const placed = series.points.map((point) => `${fixed(x(point.x))},${fixed(y(point.y))}`)
  const legend = TOP + 40 + 20 * index
  const left = WIDTH - RIGHT + 8
  return [
    `<polyline points="${placed.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
    ...placed.map((at) => `<circle cx="${at.replace(',', '" cy="')}" r="3" fill="${colour}"/>`),
    `<circle cx="${left + 4}" cy="${legend - 4}" r="4" fill="${colour}"/>`,
    `<text x="${left + 14}" y="${legend}">${escape(series.name)}</text>`,
  ]
}

const fixed = (value: number): string => value.toFixed(1)
const label = (value: number): string => String(Number(value.toPrecision(4)))

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
