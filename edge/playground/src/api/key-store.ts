const NAME = 'setblock-key'

/** For this tab only, and gone with it. A browser may forbid it: then a key lasts as its page does. */
export const keyStore = {
  load: () => attempt(() => sessionStorage.getItem(NAME) ?? undefined),
  save: (key: string) => attempt(() => sessionStorage.setItem(NAME, key)),
  forget: () => attempt(() => sessionStorage.removeItem(NAME)),
}

function attempt<T>(use: () => T): T | undefined {
  try {
    return use()
  } catch {
    return undefined
  }
}
