// How a page looks: system fonts, light or dark by the reader's setting, one column on a phone, complete in print.

/// The page's style sheet.
enum PageStyle {
  static let css: Markup = """
    :root{--paper:#fff;--ink:#1d2127;--soft:#5b6472;--rule:#dfe3e8;--tint:#f5f7f9;--mark:#e61e5a;--right:#17803d;--wrong:#c2261c;
    --truth:#12b76a;--none:#e1e2e6;--c0:#2563c9;--c1:#d9630a;--c2:#0f8a6c;--c3:#a03aa8;--c4:#b8860b;--c5:#c0305f;--c6:#3a7ca5;--c7:#737d8c}
    @media (prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e6e9ed;--soft:#9aa4b1;--rule:#30363d;--tint:#1c2126;--mark:#ff5c8a;
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
    h1{margin:0;font-size:1.75rem;line-height:1.2;letter-spacing:-.015em;overflow-wrap:anywhere}
    h2{margin:2.5rem 0 .9rem;font-size:1.25rem;letter-spacing:-.01em}
    h3{margin:0;font-size:1rem;font-weight:600;overflow-wrap:anywhere}
    main{padding-bottom:4rem}
    section>h3{margin-top:1.6rem}
    .note,small,caption{color:var(--soft);font-size:.85rem}
    .note{margin:.35rem 0 .9rem}
    code,pre{font:.85em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
    pre{margin:.5rem 0;padding:.75rem 1rem;background:var(--tint);border-radius:6px;white-space:pre-wrap}
    figure{margin:0}
    .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:1px;margin:0 0 1.4rem;padding:0;list-style:none;
    background:var(--rule);border:1px solid var(--rule);border-radius:8px;overflow:hidden}
    .tiles li{display:flex;flex-direction:column;padding:.8rem 1rem;background:var(--paper)}
    .tiles strong{font-size:1.45rem;line-height:1.25;font-weight:600;letter-spacing:-.01em}
    .tiles span{font-size:.9rem}
    .scroll{overflow-x:auto;margin:0 0 .5rem}
    table{border-collapse:collapse;min-width:100%;font-size:.9rem}
    caption{text-align:left;padding:.6rem 0 .3rem}
    th,td{padding:.45rem .8rem .45rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule)}
    th:last-child,td:last-child{padding-right:0}
    thead th{color:var(--soft);font-weight:500;font-size:.82rem;vertical-align:bottom}
    tbody th{font-weight:500;overflow-wrap:anywhere;min-width:9.5rem}
    th small,td small{display:block;font-weight:400}td small{white-space:nowrap}tbody th small{overflow-wrap:anywhere}
    .number{text-align:right;white-space:nowrap}
    .best{font-weight:700}
    .facts th{color:var(--soft);white-space:nowrap;width:1%;min-width:0}.facts td{overflow-wrap:anywhere}
    .key{display:inline-block;width:.7em;height:.7em;margin-right:.45em;border-radius:2px;background:var(--c)}
    .key.truth{background:none;border:2px solid var(--truth)}
    .grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:2rem 2.25rem;align-items:start}
    .chart svg{display:block;width:100%;height:auto}
    .chart figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:.1rem 1rem;margin-bottom:.35rem}
    .legend{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:0;padding:0;list-style:none;font-size:.82rem;color:var(--soft)}
    .legend li{overflow-wrap:anywhere}
    .legend .swatch{display:inline-block;width:22px;height:8px;margin-right:.4rem;vertical-align:middle}
    .tick{fill:var(--soft);font-size:12px}
    .axis{stroke:var(--soft)}.grid line.grid,line.grid{stroke:var(--rule)}
    .s0{--c:var(--c0)}.s1{--c:var(--c1)}.s2{--c:var(--c2)}.s3{--c:var(--c3)}.s4{--c:var(--c4)}.s5{--c:var(--c5)}.s6{--c:var(--c6)}.s7{--c:var(--c7)}
    .line{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
    .line.faint{stroke-width:1;opacity:.28}
    .dash1{stroke-dasharray:6 4}.dash2{stroke-dasharray:2 4}
    .dot{fill:var(--c);stroke:var(--paper);stroke-width:1}
    .band{fill:var(--c);opacity:.16}
    .stop rect{fill:transparent}.stop>g{visibility:hidden;pointer-events:none}.stop:hover>g{visibility:visible}
    .stop line{stroke:var(--soft);stroke-dasharray:2 3}
    .heat svg{display:block;width:100%;height:auto}
    .heat .none{fill:var(--none)}.heat .chosen{fill:none;stroke:var(--mark);stroke-width:2.5}
    .heat .bar{fill:var(--none)}.heat .adapted{fill:var(--mark)}
    .gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,15.5rem),1fr));gap:1.25rem;align-items:start}
    .example{display:flex;flex-direction:column;border:1px solid var(--rule);border-radius:8px;overflow:hidden;break-inside:avoid}
    .example .image{display:block;width:100%;height:auto;max-height:20rem;background:var(--tint)}
    .example figcaption{padding:.7rem .9rem .8rem;font-size:.9rem}
    .example p{margin:0 0 .45rem;font-weight:500;overflow-wrap:anywhere}
    .example dl{display:grid;grid-template-columns:fit-content(45%) 1fr;gap:.1rem .8rem;margin:0 0 .4rem}
    .example dt{color:var(--soft);overflow-wrap:anywhere}.example dd{margin:0;overflow-wrap:anywhere;white-space:pre-wrap}
    .example small{overflow-wrap:anywhere}
    .right{color:var(--right)}.wrong{color:var(--wrong)}
    .image rect,.image circle,.image path{fill:none;stroke:var(--c);stroke-width:2.2;vector-effect:non-scaling-stroke}
    .image{--c0:#1d4fd7;--c1:#c2410c;--c2:#0b7a5e;--c3:#8b2a94;--c4:#8a6500;--c5:#b01f52;--c6:#22658c;--c7:#4b5563}
    .image .truth{--c:var(--truth)}.image .dashed{stroke-dasharray:6 4}
    .image .halo{stroke:#fff;stroke-opacity:.8;stroke-width:5}
    details{margin:0 0 .75rem}summary{cursor:pointer;font-weight:600}details details summary{font-weight:400;color:var(--soft);font-size:.9rem}
    .omissions{margin:0;padding-left:1.1rem;color:var(--soft);font-size:.9rem;overflow-wrap:anywhere}
    @media (max-width:600px){.tick{font-size:14px}h1{font-size:1.5rem}}
    @media print{body{font-size:11pt}header,main{max-width:none;padding:0}nav,.stop{display:none}h2{break-after:avoid}
    figure,tr,.tiles{break-inside:avoid}details::details-content{content-visibility:visible;display:block;height:auto;opacity:1}
    *{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
    """
}
