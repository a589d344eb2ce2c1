/** The reference page's look: light and dark, one column on a phone. */
export const REFERENCE_STYLE = `
:root {
  color-scheme: light dark;
  --page: light-dark(#fbfbfa, #16181b);
  --panel: light-dark(#f0f1ee, #1f2226);
  --text: light-dark(#1d2023, #e4e6e8);
  --soft: light-dark(#565c62, #a6adb4);
  --line: light-dark(#d9dcd6, #343940);
  --link: light-dark(#0b5a8a, #7cc0ee);
  --mark: light-dark(#8a3b00, #f0b27a);
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, monospace;
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body {
  margin: 0; display: grid; grid-template-columns: 17rem minmax(0, 1fr);
  background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", sans-serif;
}
a { color: var(--link); text-underline-offset: 0.15em; }
a:focus-visible, pre:focus-visible, summary:focus-visible, .table:focus-visible {
  outline: 2px solid var(--link); outline-offset: 2px;
}
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: 1rem; background: var(--page); padding: 0.5rem; z-index: 1; }
nav {
  position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.5rem 1rem;
  border-right: 1px solid var(--line); font-size: 0.9rem;
}
nav ul { list-style: none; margin: 0 0 1rem; padding: 0; }
nav li a { display: block; padding: 0.2rem 0; text-decoration: none; overflow-wrap: anywhere; }
nav li a:hover { text-decoration: underline; }
nav .minor a { color: var(--soft); }
.title { margin: 0 0 1rem; font-weight: 650; font-size: 1.05rem; }
.title a { color: inherit; text-decoration: none; }
main { padding: 2rem clamp(1rem, 4vw, 3.5rem) 6rem; max-width: 60rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 0.5rem; }
h1 small { font-size: 1rem; font-weight: 400; color: var(--soft); }
h2 { font-size: 1.35rem; margin: 0 0 0.3rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 0.4rem; }
h4 { font: 600 0.9rem var(--mono); margin: 1rem 0 0.2rem; }
#schemas, main > section[id]:not([id^="schema-"]) {
  margin-top: 3rem; padding-top: 2rem; border-top: 1px solid var(--line);
}
code, pre { font-family: var(--mono); font-size: 0.875em; overflow-wrap: anywhere; }
pre {
  background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  padding: 0.8rem 1rem; overflow-x: auto; line-height: 1.45;
}
pre code { font-size: 0.8rem; overflow-wrap: normal; }
.route { margin: 0 0 1rem; }
.method { font: 600 0.75rem var(--mono); color: var(--mark); }
.fields { border-top: 1px solid var(--line); }
.field { padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
.field > code { font-weight: 600; }
.field p { margin: 0.15rem 0 0; color: var(--soft); font-size: 0.92rem; }
.type { color: var(--soft); font-size: 0.88rem; margin-left: 0.4rem; overflow-wrap: anywhere; }
.required { color: var(--mark); font-size: 0.8rem; margin-left: 0.4rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.4rem 1rem; margin: 0; }
dt { font: 600 0.875rem/1.7 var(--mono); }
dd { margin: 0; }
dd p { margin: 0.2rem 0 0.4rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.92rem; }
th, td { text-align: left; padding: 0.35rem 1rem 0.35rem 0; border-bottom: 1px solid var(--line); }
@media (max-width: 52rem) {
  body { display: block; }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); }
  nav .minor { display: none; }
  main { padding-top: 1.5rem; }
}
`
