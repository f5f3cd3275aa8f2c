/** Of the page. In a file of its own, since its hash is in the policy of the page. */
export const STYLE = `
:root { --back: #fff; --card: #f5f6f8; --text: #1b1f24; --faint: #57606a; --line: #d0d7de;
  --one: #0f6cbd; --two: #b35900; --good: #0b6a2b; --warn: #8a5a00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14171a; --card: #1e2328; --text: #e6e9ec; --faint: #9aa4ae; --line: #3a424a;
    --one: #6cb5f4; --two: #f0a35c; --good: #6fd08c; --warn: #e8b84a; --bad: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--back); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: 0 1rem; align-items: baseline; }
h1 { font-size: 1.25rem; margin: 0; }
h2 { font-size: 0.95rem; margin: 0 0 0.25rem; font-weight: 600; }
header p { margin: 0; color: var(--faint); }
form { margin: 1rem 0; display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
form[hidden], main[hidden] { display: none; }
input, button { font: inherit; padding: 0.35rem 0.6rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--card); color: var(--text); }
input { min-width: 0; width: 18rem; }
#facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: 0.5rem; margin: 1rem 0; }
.fact { background: var(--card); border-radius: 8px; padding: 0.5rem 0.75rem; overflow-wrap: anywhere; }
.fact span { display: block; color: var(--faint); font-size: 0.8rem; }
.problem { border-left: 4px solid var(--warn); background: var(--card); padding: 0.5rem 0.75rem; margin: 0.75rem 0 0; }
.problem b, .problem span { display: block; }
header .healthy { color: var(--good); } header .degraded { color: var(--warn); }
header .unavailable { color: var(--bad); }
#plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); gap: 0.75rem; }
figure { margin: 0; background: var(--card); border-radius: 8px; padding: 0.6rem 0.75rem; min-width: 0; }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; font-size: 0.85rem; }
.key { color: var(--faint); }
.key i { display: inline-block; width: 0.7em; height: 0.7em; border-radius: 2px; margin: 0 0.3em 0 0.8em; }
i.one { background: var(--one); } i.two { background: var(--two); }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--faint); font-size: 11px; }
svg .grid { stroke: var(--line); stroke-width: 1; }
path { fill: none; stroke-width: 1.75; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
path.one { stroke: var(--one); } path.two { stroke: var(--two); stroke-dasharray: 5 3; }
.wide { margin-top: 1rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
th, td { text-align: right; padding: 0.3rem 0.6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--faint); font-weight: 500; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
`;
