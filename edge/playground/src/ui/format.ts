const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** A figure as it is shown; a dash where there is none yet. */
export function figure(value: number | undefined, digits = 0): string {
  if (value === undefined) return '–'
  return (digits === 0 ? whole.format(value) : value.toFixed(digits)).replace('-', '−')
}

export function milliseconds(value: number | undefined): string {
  if (value === undefined) return '–'
  return `${value < 100 ? value.toFixed(1) : whole.format(value)} ms`
}

/** `times(2.31)` is "2.3×". */
export function times(ratio: number): string {
  return `${ratio < 10 ? ratio.toFixed(1) : whole.format(ratio)}×`
}

export function plural(count: number, noun: string): string {
  return `${whole.format(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** Degrees on the colour wheel for a forward pass: neighbours differ, eight make a round. */
export const hueOfStep = (step: number): number => (200 + step * 45) % 360
