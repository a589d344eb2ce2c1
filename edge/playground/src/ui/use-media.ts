import { useEffect, useState } from 'preact/hooks'

/** Whether a media query holds, now and later. */
export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches)
  useEffect(() => {
    const list = matchMedia(query)
    const update = () => setMatches(list.matches)
    update()
    list.addEventListener('change', update)
    return () => list.removeEventListener('change', update)
  }, [query])
  return matches
}

export const REDUCED_MOTION = '(prefers-reduced-motion: reduce)'
