import { BlockFigure } from './figure.tsx'
import { Header } from './header.tsx'
import { KeyForm } from './key-form.tsx'
import { useAccess } from './use-access.ts'
import { Workbench } from './workbench.tsx'

export function App() {
  const { access, enter, leave } = useAccess()
  const open = access.status === 'open' ? access : undefined
  return (
    <>
      <Header apiKey={open?.key} onLeave={() => leave()} />
      {access.status === 'open' ? (
        <Workbench key={access.key} apiKey={access.key} models={access.models} onLeave={leave} />
      ) : (
        <main class="gate">
          <Pitch />
          <KeyForm access={access} onKey={enter} />
        </main>
      )}
    </>
  )
}

function Pitch() {
  return (
    <section class="pitch">
      <h2>Watch a model write several tokens at a time</h2>
      <p>
        Ordinarily every forward pass of a language model yields one token. Set Block Decoding
        guesses a block of them at once and reveals, with each forward, all it is sure enough of.
        Here every token takes the colour of the forward that revealed it.
      </p>
      <BlockFigure />
    </section>
  )
}
