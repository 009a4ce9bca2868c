/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a page looks: dark and light by what the reader prefers, on a wide screen, on a telephone and
 * on paper. The colours are those of Okabe and Ito, which people who see few colours can tell
 * apart.
 */
#include "page-private.h"

static const char colours[] =
    "<style>\n:root{color-scheme:light "
    "dark;--page:#fff;--ink:#1b1f24;--soft:#5b6470;--line:#dfe3e8;--tick:#eef0f3;--card:#f6f7f9;"
    "--good:#009e73;--bad:#d55e00;--slow:#e69f00;--held:#cc79a7;--move:#0072b2;--refused:#a9b1bc;--"
    "other:#cc79a7;--on:#fff;"
    "--p0:#7db9e3;--p1:#c3a0d6;--p2:#94c492;--p3:#d9bd72;--p4:#86cccb;--p5:#b4bac3;--link:#0072b2}"
    "\n"
    "@media(prefers-color-scheme:dark){:root{--page:#14171b;--ink:#e6e9ed;--soft:#98a2ae;--line:#"
    "31373f;--tick:#22272d;--card:#1c2127;"
    "--good:#2fbf94;--bad:#ff8a3d;--slow:#f0b429;--held:#dd93bb;--move:#56b4e9;--refused:#5c6672;--"
    "other:#dd93bb;--on:#14171b;"
    "--p0:#5b9bc7;--p1:#a583b9;--p2:#75a673;--p3:#b89c54;--p4:#66adac;--p5:#8a929c;--link:#56b4e9}}"
    "\n";

static const char text[] =
    "*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}\n"
    "body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 "
    "system-ui,-apple-system,\"Segoe UI\",\"Noto Sans\",\"DejaVu Sans\",sans-serif;"
    "font-variant-numeric:tabular-nums;overflow-wrap:anywhere}\n"
    "main,footer{max-width:74rem;margin:0 auto;padding:0 1.25rem}main{padding-top:1.75rem}\n"
    "h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem;font-weight:650}h1 "
    ".of{color:var(--soft);font-weight:450}\n"
    "h2{font-size:1.15rem;margin:0 0 .75rem;font-weight:650}h3{font-size:.95rem;margin:0 0 "
    ".5rem;font-weight:600}\n"
    "section{margin:2.25rem 0}p{margin:.5rem "
    "0;max-width:54rem}small,.more,.legend,.period,.none,footer{color:var(--soft);font-size:.85rem}"
    "\n"
    ".period{margin:0}.lead{font-size:1.08rem;line-height:1.6;margin:1rem 0}q{quotes:\"“\" "
    "\"”\"}code{font:.92em ui-monospace,\"DejaVu Sans Mono\",monospace}\n"
    ".warning{border-left:4px solid var(--slow);background:var(--card);padding:.5rem "
    ".8rem;border-radius:3px}\n"
    ".chip{display:inline-block;font-size:.8rem;font-weight:600;padding:.1rem "
    ".6rem;border-radius:1rem;vertical-align:.25em;color:var(--on);white-space:nowrap}\n"
    ".chip.good{background:var(--good)}.chip.handled{background:var(--move)}.chip.look{background:"
    "var(--bad)}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;"
    "margin:1.25rem 0}\n"
    ".tile{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.55rem "
    ".8rem}.tile span{color:var(--soft);font-size:.82rem;display:block}\n"
    ".tile b{font-size:1.4rem;line-height:1.3;font-weight:600;display:block}.tile "
    "small{display:block;min-height:1.2em;line-height:1.2}.tile.look "
    "small{color:var(--bad);font-weight:600}\n"
    ".badly{color:var(--bad)}.goodly{color:var(--good)}.moving{color:var(--move)}.refusing{color:"
    "var(--soft)}.word{font-weight:600}\n"
    "footer{border-top:1px solid "
    "var(--line);padding-top:.75rem;padding-bottom:2rem;margin-top:2rem}\n";

static const char lines[] =
    ".lane{display:grid;grid-template-columns:11.5rem "
    "minmax(0,1fr);column-gap:.75rem;align-items:center;border-bottom:1px solid "
    "var(--line);padding:.2rem 0}\n"
    ".lane .name{font-size:.88rem;line-height:1.3;text-align:right}.lane .name "
    "small{display:block;font-size:.78rem}.lane.axis{border:0}\n"
    "svg.plot{display:block;width:100%;overflow:visible}svg "
    "text{font-size:11px;fill:var(--soft)}svg "
    "text.unit{font-size:10px;stroke:var(--page);stroke-width:3;paint-order:stroke}\n"
    ".tick{stroke:var(--tick)}.level{stroke:var(--tick)}text.path{font-size:10px;fill:#101418}\n"
    ".moves,.others,.refusals,.run{stroke:none}.moves{fill:var(--move)}.others{fill:var(--other)}."
    "refusals{fill:var(--refused)}.run{fill:var(--refused)}\n"
    ".good,.better{fill:var(--good)}.bad,.worse{fill:var(--bad)}.slow{fill:var(--slow)}.held{fill:"
    "var(--held)}.unknown{fill:var(--tick)}.other{fill:var(--refused)}\n"
    ".outage{fill:url(#hatch)}.hatch0{fill:var(--bad);opacity:.22}.hatch1{fill:var(--bad);opacity:."
    "75}\n"
    ".same{fill:var(--soft)}.failed{stroke:var(--bad);stroke-width:2.2;fill:none}.cause{fill:var(--"
    "move)}.notice{fill:var(--slow)}.penalty{fill:var(--slow)}\n"
    ".restart{stroke:var(--ink);stroke-width:2.5}.unclean{stroke:var(--bad);stroke-width:4}.move{"
    "fill:var(--move)}.refused{stroke:var(--soft);stroke-width:2.5;fill:none}\n"
    "use.better,use.worse,use.move,use.same{stroke:var(--page);stroke-width:1;paint-order:stroke}\n"
    ".rtt{fill:var(--move);fill-opacity:.3;stroke:var(--move);stroke-width:1.3;vector-effect:non-"
    "scaling-stroke;stroke-linejoin:round}.point{fill:var(--move)}\n"
    ".path0{fill:var(--p0)}.path1{fill:var(--p1)}.path2{fill:var(--p2)}.path3{fill:var(--p3)}."
    "path4{fill:var(--p4)}.path5{fill:var(--p5)}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.6rem 0 0 "
    "12.25rem;max-width:none}.legend span{display:inline-flex;align-items:center;gap:.35rem}\n"
    ".legend "
    "svg{overflow:visible}.key{width:14px;height:10px;display:inline-block;border-radius:2px}.key."
    "moves{background:var(--move)}.key.refusals{background:var(--refused)}\n"
    ".key.good{background:var(--good)}.key.bad{background:var(--bad)}.key.slow{background:var(--"
    "slow)}.key.held{background:var(--held)}\n"
    ".key.hatched{background:repeating-linear-gradient(135deg,var(--bad) 0 2px,transparent 2px "
    "5px)}.key.path0{background:var(--p0)}.key.path1{background:var(--p1)}.key.path2{background:"
    "var(--p2)}\n";

static const char tables[] =
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-"
    "align:left;padding:.35rem .7rem .35rem 0;vertical-align:top;border-bottom:1px solid "
    "var(--line)}\n"
    "th{color:var(--soft);font-weight:600;font-size:.82rem;white-space:nowrap}th.n,td.n{text-align:"
    "right;white-space:nowrap}td.t{white-space:nowrap}.zero{color:var(--soft)}td.id{font:.8rem "
    "ui-monospace,\"DejaVu Sans Mono\",monospace}\n"
    "time "
    "i{font-style:normal;color:var(--soft)}summary{cursor:pointer;font-weight:600;padding:.3rem "
    "0}details[open] summary{margin-bottom:.4rem}.deeds td:nth-child(2){min-width:8rem}.deeds "
    "td:nth-child(3){min-width:14rem}\n"
    ".columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr));gap:1.5rem "
    "2.5rem}.bar{display:grid;grid-template-columns:8.5rem minmax(0,1fr) "
    "auto;gap:.6rem;align-items:center;font-size:.9rem;line-height:1.7}\n"
    ".bar svg{display:block}.bar b{font-weight:600;min-width:2.5rem;text-align:right}\n"
    "@media(max-width:44rem){main,footer{padding-left:.9rem;padding-right:.9rem}h1{font-size:1."
    "35rem}.tiles{grid-template-columns:repeat(2,1fr)}\n"
    ".lane{grid-template-columns:minmax(0,1fr);padding:.35rem 0}.lane "
    ".name{text-align:left;padding-bottom:.15rem}.lane .name small{display:inline}.lane .name "
    "small br{display:none}.odd{display:none}.legend{margin-left:0}\n"
    "thead{display:none}table,tbody,tr,td{display:block}tr{border:1px solid "
    "var(--line);border-radius:6px;padding:.4rem .7rem;margin-bottom:.6rem}\n"
    "td,td.n,td.t{border:0;padding:.1rem 0 .1rem "
    "7rem;text-align:left;white-space:normal;position:relative;min-height:1.5em}\n"
    "td[data-l]::before{content:attr(data-l);position:absolute;left:0;width:6.6rem;color:var(--"
    "soft);font-size:.82rem}td:empty{display:none}\n"
    ".columns{grid-template-columns:minmax(0,1fr)}table.narrow{display:table}table.narrow "
    "thead{display:table-header-group}table.narrow tbody{display:table-row-group}table.narrow "
    "tr{display:table-row}\n"
    "table.narrow td,table.narrow td.n{display:table-cell;border-bottom:1px solid "
    "var(--line);padding:.3rem .5rem .3rem 0}table.narrow td.n{text-align:right}}\n"
    "@media "
    "print{:root{color-scheme:light}body{font-size:11px}*{-webkit-print-color-adjust:exact;print-"
    "color-adjust:exact}main,footer{max-width:none;padding:0}section{margin:1.2rem 0}"
    ".lane,tr{break-inside:avoid}h2{break-after:avoid}.scroll{overflow:visible}}\n</style>\n";

void page_style(struct buffer *out)
{
    buffer_text(out, colours);
    buffer_text(out, text);
    buffer_text(out, lines);
    buffer_text(out, tables);
}
