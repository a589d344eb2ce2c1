const PATHS = {
  send: 'M8 13V3M3.5 7.5 8 3l4.5 4.5',
  stop: 'M4 4h8v8H4z',
  play: 'M5 3.2v9.6L13 8z',
  pause: 'M5 3.5v9M11 3.5v9',
  copy: 'M6 6V2.5h7.5V10H10M2.5 6H10v7.5H2.5z',
  key: 'M7.3 8.7 13 3M10.6 5.4l2 2M3 10.5a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0',
} as const

/** A line drawing beside words that say the same, so hidden from screen readers. */
export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}

export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 26 24" aria-hidden="true">
      <rect class="logo-a" x="1" y="2" width="12" height="5" rx="1.5" />
      <rect class="logo-b" x="15" y="2" width="7" height="5" rx="1.5" />
      <rect class="logo-b" x="1" y="9.5" width="5" height="5" rx="1.5" />
      <rect class="logo-c" x="8" y="9.5" width="14" height="5" rx="1.5" />
      <rect class="logo-c" x="1" y="17" width="9" height="5" rx="1.5" />
      <rect class="logo-hole" x="12.5" y="17.5" width="9" height="4" rx="1.2" />
    </svg>
  )
}
