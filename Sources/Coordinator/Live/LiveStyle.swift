/// How the live page looks: light and dark, from 320 pixels on.
enum LiveStyle {
    static let text = """
        :root { color-scheme: light dark; --ink: #1d2127; --dim: #565d68; --line: #d5d9df; --back: #fff;
          --soft: #f3f5f8; --accent: #1f5fa8; --bad: #a3232b; --badback: #fdeeee;
          --c0: #1f6fb4; --c1: #c0392b; --c2: #23784a; --c3: #7d4a94; --c4: #a15c00; --c5: #4a4a4a; --c6: #08807f }
        @media (prefers-color-scheme: dark) { :root { --ink: #e2e5ea; --dim: #a3abb7; --line: #3a414c; --back: #15181d;
          --soft: #1f242b; --accent: #8ab8f2; --bad: #ff9a9a; --badback: #3a1e20;
          --c0: #6fb1ee; --c1: #ff8f80; --c2: #6fce97; --c3: #cf9ee6; --c4: #e6a95a; --c5: #bdbdbd; --c6: #5fd0cf } }
        * { box-sizing: border-box }
        body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); margin: 0 auto;
          max-width: 76rem; padding: 0 1rem 3rem }
        [hidden] { display: none !important }
        .skip { position: absolute; left: -99rem } .skip:focus { position: static }
        header { display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: baseline; margin-top: .6rem }
        header p { color: var(--dim); margin: 0; flex: 1 1 12rem }
        h1 { font-size: 1.4rem; margin: 0 } h2 { font-size: 1.2rem; margin: 1.8rem 0 .5rem }
        h3 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere } h4 { font-size: 1rem; margin: 1rem 0 .3rem }
        p { margin: .4rem 0 }
        button, select, input { font: inherit; color: inherit; background: var(--soft); border: 1px solid var(--dim);
          border-radius: .3rem; padding: .25rem .7rem; max-width: 100% }
        button { cursor: pointer } button:disabled { color: var(--dim); border-color: var(--line); cursor: default }
        button.grave { color: var(--bad); border-color: var(--bad) }
        :focus-visible { outline: 3px solid var(--accent); outline-offset: 1px }
        label { color: var(--dim) }
        form#login { max-width: 34rem } form#login input { display: block; width: 100%; margin: .2rem 0 .6rem }
        .problem { background: var(--badback); color: var(--bad); border-left: 4px solid var(--bad);
          padding: .4rem .8rem; overflow-wrap: anywhere }
        article { border: 1px solid var(--line); border-radius: .4rem; padding: .7rem .9rem; margin: .6rem 0 }
        article > .top { display: flex; flex-wrap: wrap; gap: .3rem 1rem; align-items: baseline }
        article > .top h3 { flex: 1 1 14rem } .dim { color: var(--dim) }
        progress { width: 100%; height: .8rem; accent-color: var(--accent) }
        .facts { color: var(--dim); font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
        summary { cursor: pointer; padding: .2rem 0 }
        .wide { overflow-x: auto } .wide:focus-visible { outline-offset: -3px }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100% }
        caption { text-align: left; color: var(--dim) }
        th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
        th:first-child, td:first-child, th.text, td.text { text-align: left }
        td.text { overflow-wrap: anywhere; min-width: 8rem } th { font-weight: 600 }
        td.words { min-width: 14rem }
        .tools { display: flex; flex-wrap: wrap; gap: .4rem .8rem; align-items: center; margin: .4rem 0 }
        .tools label { display: flex; gap: .4rem; align-items: center; flex-wrap: wrap }
        svg.chart { display: block; width: 100%; height: auto; font-size: 13px; fill: var(--dim) }
        svg.chart .grid { stroke: var(--line); stroke-width: 1 }
        svg.chart path { fill: none; stroke-width: 2; stroke-linejoin: round }
        svg.chart path.raw { stroke-width: 1; opacity: .3 }
        .c0 { stroke: var(--c0); --c: var(--c0) } .c1 { stroke: var(--c1); --c: var(--c1) }
        .c2 { stroke: var(--c2); --c: var(--c2) } .c3 { stroke: var(--c3); --c: var(--c3) }
        .c4 { stroke: var(--c4); --c: var(--c4) } .c5 { stroke: var(--c5); --c: var(--c5) }
        .c6 { stroke: var(--c6); --c: var(--c6) }
        svg.chart circle { fill: var(--c); stroke: none } svg.chart text.name { fill: var(--c); stroke: none }
        .lane { display: grid; grid-template-columns: 6.5rem 1fr; gap: .5rem; align-items: center; margin: .15rem 0 }
        .lane > span { font-size: .9rem } .lane > div { position: relative; height: 1.5rem; background: var(--soft) }
        .stay { position: absolute; top: 0; bottom: 0; min-width: 3px; overflow: hidden; white-space: nowrap;
          font-size: .8rem; line-height: 1.5rem; padding: 0 .3rem; color: var(--back); background: var(--c);
          border-right: 1px solid var(--back) }
        .stay.lost { opacity: .65 } .stay.backup { height: .7rem; top: .8rem; bottom: auto }
        dialog { border: 1px solid var(--dim); border-radius: .4rem; max-width: 30rem; background: var(--back);
          color: inherit }
        #said { position: fixed; bottom: 0; left: 0; right: 0; margin: 0; background: var(--back) }
        #said:not(:empty) { padding: .5rem 1rem; border-top: 2px solid var(--accent) }
        @media (max-width: 30rem) { body { padding: 0 .6rem 2rem } article { padding: .5rem .6rem }
          th, td { padding: .2rem .35rem } .lane { grid-template-columns: 1fr; gap: .1rem } }
        @media (prefers-reduced-motion: no-preference) { progress { transition: none } }
        @media print { button, .tools, #said, .skip { display: none } article { break-inside: avoid } }
        """
}
