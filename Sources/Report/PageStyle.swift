// How a page looks: system fonts, light or dark by the reader's setting, one column on a phone, complete in print.

/// The page's style sheet.
enum PageStyle {
  static let css: Markup = """
    :root{--paper:#fff;--ink:#1d2127;--soft:#5b6472;--rule:#dfe3e8;--tint:#f5f7f9;--board:#e4e8ed;--edge:#8d97a5;--shade:#1d212733;--mark:#e61e5a;--right:#17803d;--wrong:#c2261c;
    --truth:#12b76a;--none:#e1e2e6;--c0:#2563c9;--c1:#d9630a;--c2:#0f8a6c;--c3:#a03aa8;--c4:#b8860b;--c5:#c0305f;--c6:#3a7ca5;--c7:#737d8c}
    @media (prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e6e9ed;--soft:#9aa4b1;--rule:#30363d;--tint:#1c2126;--board:#262d35;--edge:#6b7684;--shade:#000c;--mark:#ff5c8a;
    --right:#4cc38a;--wrong:#ff7a6b;--none:#3a4048;--c0:#6ea8fe;--c1:#ff9f4a;--c2:#3fcf9f;--c3:#d38be0;--c4:#e0b84a;--c5:#ff7ba3;--c6:#7cc4e8;--c7:#98a2b0}}
    @media print{:root{--paper:#fff;--ink:#000;--soft:#444;--rule:#ccc;--tint:#fff}}
    *{box-sizing:border-box}
    html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
    body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;
    font-variant-numeric:tabular-nums}
    header,main{max-width:72rem;margin:0 auto;padding:0 1.25rem}
    header{padding-top:2.25rem}
    header p{margin:.2rem 0 .9rem;color:var(--soft)}
    nav{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:.55rem 0;border-block:1px solid var(--rule);font-size:.9rem}
    a{color:var(--c0);text-decoration:none}a:hover{text-decoration:underline}
    h1{margin:0;font-size:1.75rem;line-height:1.2;letter-spacing:-.015em}
    h2{margin:2.5rem 0 .9rem;font-size:1.25rem;letter-spacing:-.01em}
    h3{margin:0;font-size:1rem;font-weight:600}
    h1,h3,li,dt,dd,p,small,summary,figcaption{overflow-wrap:break-word;min-width:0}
    main{padding-bottom:4rem}
    section>h3{margin-top:1.6rem}
    .note,small{color:var(--soft);font-size:.85rem}
    .note{margin:.35rem 0 .9rem}
    code,pre{font:.85em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
    .digest{overflow-wrap:anywhere}.path{white-space:nowrap}wbr{white-space:normal}
    pre{margin:.5rem 0;padding:.75rem 1rem;background:var(--tint);border-radius:6px;overflow-x:auto}
    figure{margin:0}
    .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:1px;margin:0 0 1.4rem;padding:0;list-style:none;
    border:1px solid var(--rule);border-radius:8px;overflow:hidden}
    .tiles li{display:flex;flex-direction:column;padding:.8rem 1rem;box-shadow:0 0 0 1px var(--rule)}
    .tiles strong{font-size:1.45rem;line-height:1.25;font-weight:600;letter-spacing:-.01em}
    .tiles span{font-size:.9rem}
    .scroll{overflow-x:auto;max-width:100%;margin:0 0 .5rem;
    background:linear-gradient(to right,var(--paper) 40%,transparent) left/3rem 100% no-repeat local,linear-gradient(to left,var(--paper) 40%,transparent) right/3rem 100% no-repeat local,
    linear-gradient(to right,var(--shade),transparent) left/1rem 100% no-repeat scroll,linear-gradient(to left,var(--shade),transparent) right/1rem 100% no-repeat scroll}
    table{border-collapse:collapse;font-size:.9rem}
    th,td{padding:.45rem 1.3rem .45rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule)}
    th:last-child,td:last-child{padding-right:0}
    thead th{color:var(--soft);font-weight:500;font-size:.82rem;vertical-align:bottom}
    tbody th{font-weight:500;min-width:8rem;max-width:20rem}
    th small,td small{display:block;font-weight:400}.number small{white-space:nowrap}td:not(.number){min-width:10rem;max-width:13rem}
    .number{text-align:right;white-space:nowrap}
    .facts th{color:var(--soft);white-space:nowrap;min-width:0}.facts td{max-width:none!important}
    .row{display:flex;flex-wrap:wrap;gap:1rem 3.5rem;align-items:flex-start}.row>*{max-width:100%}
    .better{color:var(--right)}.worse{color:var(--wrong)}.unclear,.equal{color:var(--soft)}
    .better em,.worse em,.unclear em{font-style:normal}td em,li small em{font-size:.85em}
    .warnings{margin:0 0 1rem;padding:.6rem 1rem .6rem 2rem;border-left:4px solid var(--wrong);background:var(--tint)}
    .reason{margin:0 0 .9rem;padding:.5rem 1rem;border-left:4px solid var(--c4);background:var(--tint);font-size:.9rem}
    .key{display:inline-block;width:.7em;height:.7em;margin-right:.45em;border-radius:2px;background:var(--c)}
    .key.truth{background:none;border:2px solid var(--truth)}
    .charts{display:grid;grid-template-columns:repeat(6,minmax(0,1fr));gap:2rem 2.25rem;align-items:start}
    .charts>*{grid-column:span 3}.charts.odd>:nth-last-child(-n+3){grid-column:span 2}.charts.single>*{grid-column:span 4}
    .chart{container-type:inline-size}.chart svg{display:block;width:100%;height:auto}.chart .tick{font-size:11px}
    @container (max-width:26rem){.chart .tick{font-size:13.5px}}
    .chart figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:.1rem 1rem;margin-bottom:.35rem}
    .legend{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:0;padding:0;list-style:none;font-size:.82rem;color:var(--soft)}
    .legend .swatch{display:inline-block;width:22px;height:8px;margin-right:.4rem;vertical-align:middle}
    \(HeatMapFigure.marks)
    .axis{stroke:var(--soft)}line.grid{stroke:var(--rule)}
    .s0{--c:var(--c0)}.s1{--c:var(--c1)}.s2{--c:var(--c2)}.s3{--c:var(--c3)}.s4{--c:var(--c4)}.s5{--c:var(--c5)}.s6{--c:var(--c6)}.s7{--c:var(--c7)}
    .line{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
    .line.faint{stroke-width:1;opacity:.28}
    .dash1{stroke-dasharray:6 4}.dash2{stroke-dasharray:2 4}
    .dot{fill:var(--c);stroke:var(--paper);stroke-width:1}
    .band{fill:var(--c);opacity:.16}
    .stop rect{fill:transparent}.stop>g{visibility:hidden;pointer-events:none}.stop:hover>g{visibility:visible}
    .stop line{stroke:var(--soft);stroke-dasharray:2 3}
    .heat{margin-bottom:1rem}.heat svg{display:block;width:100%;height:auto}
    .gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,15.5rem),1fr));gap:1.25rem;align-items:start}
    .example{display:flex;flex-direction:column;border:1px solid var(--rule);border-radius:8px;overflow:hidden;break-inside:avoid}
    .example .images{display:flex;flex-direction:column;gap:.75rem;padding:.75rem;background:var(--board);border-bottom:1px solid var(--rule)}
    .example .image{display:block;width:100%;height:auto;max-height:20rem;overflow:visible}
    .example .images:empty{display:none}
    .example figcaption{padding:.7rem .9rem .8rem;font-size:.9rem}
    .example p{margin:0 0 .45rem;font-weight:500}
    .example dl{display:grid;grid-template-columns:fit-content(45%) 1fr;gap:.1rem .8rem;margin:0 0 .4rem}
    .example dt{color:var(--soft)}.example dd{margin:0;white-space:pre-wrap}
    .right{color:var(--right)}.wrong{color:var(--wrong)}
    .image rect,.image circle,.image path{fill:none;stroke:var(--c);stroke-width:1.5;vector-effect:non-scaling-stroke}
    .image .edge{stroke:var(--edge);stroke-width:1}
    .image{--c0:#1d4fd7;--c1:#c2410c;--c2:#0b7a5e;--c3:#8b2a94;--c4:#8a6500;--c5:#b01f52;--c6:#22658c;--c7:#4b5563}
    .image .truth{--c:var(--truth)}.image .dashed{stroke-dasharray:6 4}
    .image .halo{stroke:#fff;stroke-opacity:.85;stroke-width:3.5}
    details{margin:0 0 .75rem}summary{cursor:pointer;font-weight:600}details details summary{font-weight:400;color:var(--soft);font-size:.9rem}
    .omissions{margin:0;padding-left:1.1rem;color:var(--soft);font-size:.9rem}
    @media (max-width:56rem){.charts{display:flex;flex-direction:column;align-items:stretch}.chart{max-width:44rem}}
    @media (max-width:600px){h1{font-size:1.5rem}}
    @media print{body{font-size:11pt}header,main{max-width:none;padding:0}nav,.stop{display:none}h2{break-after:avoid}
    figure,tr,.tiles{break-inside:avoid}details::details-content{content-visibility:visible;display:block;height:auto;opacity:1}
    *{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
    """
}
