import { useCallback, useEffect, useState } from 'preact/hooks'
import { keyStore } from '../api/key-store.ts'
import { listModels } from '../api/models.ts'
import type { ModelFacts } from '../api/models.ts'
import { RequestFailed } from '../api/request-failed.ts'
import { UNREACHABLE } from '../state/failure.ts'
import type { Failure } from '../state/failure.ts'
import { keyInFragment } from '../state/key.ts'

/** Whether the page may use the API, and what it found there. */
export type Access =
  /** `key`: one that nothing is wrong with, to try again. */
  | { status: 'locked'; failure?: Failure; key?: string }
  | { status: 'checking'; key: string }
  | { status: 'open'; key: string; models: readonly ModelFacts[] }

export interface AccessControl {
  access: Access
  enter(this: void, key: string): void
  /** Forgets the key, and says why if something was wrong with it. */
  leave(this: void, failure?: Failure): void
}

export function useAccess(): AccessControl {
  const [access, setAccess] = useState<Access>(() => {
    const key = takeFragmentKey() ?? keyStore.load()
    return key === undefined ? { status: 'locked' } : { status: 'checking', key }
  })
  const key = access.status === 'checking' ? access.key : undefined
  useEffect(() => {
    if (key === undefined) return
    let current = true
    const settle = (next: Access) => current && setAccess(next)
    void tryKey(key).then(settle)
    return () => {
      current = false
    }
  }, [key])

  const enter = useCallback((entered: string) => {
    setAccess({ status: 'checking', key: entered })
  }, [])
  const leave = useCallback((failure?: Failure) => {
    keyStore.forget()
    setAccess({ status: 'locked', ...(failure === undefined ? {} : { failure }) })
  }, [])
  useEffect(() => {
    const follow = () => {
      const next = takeFragmentKey()
      if (next !== undefined) enter(next)
    }
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [enter])
  return { access, enter, leave }
}

async function tryKey(key: string): Promise<Access> {
  try {
    const models = await listModels(key)
    keyStore.save(key)
    return { status: 'open', key, models }
  } catch (error) {
    const failure = error instanceof RequestFailed ? error.failure : UNREACHABLE
    if (failure.remedy !== 'key') return { status: 'locked', failure, key }
    keyStore.forget()
    return { status: 'locked', failure }
  }
}

/** A key must not stay in the address bar, where it is copied, bookmarked and looked at. */
function takeFragmentKey(): string | undefined {
  const key = keyInFragment(location.hash)
  if (key !== undefined) history.replaceState(null, '', location.pathname + location.search)
  return key
}
