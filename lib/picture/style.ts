/** How a picture's parts look, as a style sheet within it. */

/** Colours only repeat what signs and words say; dark where the reader's system is. */
export const style = `
svg { --paper: #ffffff; --ink: #1f2328; --quiet: #5a636d; --line: #8b949e;
  --node: #f6f8fa; --pod: #ddf4ff; --bridge: #e6dcfa;
  --good: #116329; --bad: #a40e26; --new: #953800; --trace: #bc4c00; --back: #0550ae; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #0d1117; --ink: #e6edf3; --quiet: #a0a9b3; --line: #6e7681;
    --node: #161b22; --pod: #12314f; --bridge: #31215a;
    --good: #6fdd8b; --bad: #ff9492; --new: #ffb77c; --trace: #ffa657;
    --back: #79c0ff; } }
text { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; \
fill: var(--ink); white-space: pre; }
.paper { fill: var(--paper); }
.name { font-size: 14px; font-weight: bold; }
.quiet, .waiting { fill: var(--quiet); }
.good { fill: var(--good); }
.bad { fill: var(--bad); font-weight: bold; }
.since { fill: var(--new); font-weight: bold; }
.node { fill: var(--node); stroke: var(--line); }
.pod { fill: var(--pod); stroke: var(--line); }
.bridge { fill: var(--bridge); stroke: var(--line); }
.new { stroke: var(--new); stroke-width: 2.5; }
.gone { fill: none; stroke: var(--new); stroke-dasharray: 5 4; }
.off { fill: none; stroke: var(--bad); stroke-dasharray: 5 4; }
.veth, .cable { stroke: var(--line); stroke-width: 2; fill: none; }
.segment { stroke: var(--ink); stroke-width: 4; }
.tunnel { stroke: var(--back); stroke-width: 2; stroke-dasharray: 3 4; fill: none; }
.session { stroke: var(--good); stroke-width: 2; stroke-dasharray: 9 3 2 3; fill: none; }
.way { stroke-width: 3; fill: none; stroke-linejoin: round; }
.way.there { stroke: var(--trace); }
.way.back { stroke: var(--back); stroke-dasharray: 7 4; }
.stop.there { fill: var(--trace); }
.stop.back { fill: var(--back); }
.stop.lost { fill: var(--bad); stroke: var(--paper); stroke-width: 2; }
.over { paint-order: stroke; stroke: var(--paper); stroke-width: 4; }
.number { fill: var(--paper); font-weight: bold; text-anchor: middle; }
`;
