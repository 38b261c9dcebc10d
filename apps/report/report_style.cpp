// See report_style.h. Colours are variables, set once for light and once for dark; the charts' classes (s-blue,
// f-muted ...) take them. Widths shrink to a phone; on paper the cards lose their shadows and stay whole.
#include "apps/report/report_style.h"

namespace xrai {

std::string_view report_style_sheet() {
  return R"css(
:root{color-scheme:light dark;--page:#f4f6f8;--paper:#fff;--text:#1b2027;--muted:#5b6673;--grid:#e1e6eb;--blue:#0072b2;
--vermillion:#d55e00;--green:#009e73;--orange:#e69f00;--purple:#cc79a7;--sky:#56b4e9;--note:#fff6e0;--rim:#e9c46a}
@media screen and (prefers-color-scheme:dark){:root{--page:#101418;--paper:#1a2027;--text:#e8ecf0;--muted:#9ba7b4;--grid:#2d3640;
--blue:#56b4e9;--vermillion:#f08a4b;--green:#2ec79c;--orange:#f0b840;--purple:#e3a0c6;--sky:#9bd4f5;--note:#2b2415;
--rim:#8a6d1f}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 20px}
header{padding-top:36px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px;overflow-wrap:anywhere}
h2{font-size:20px;margin:0 0 4px}
h3{font-size:16px;margin:18px 0 2px}
p{margin:0 0 10px}
td small{display:block;color:var(--muted)}
.lead,.small{color:var(--muted)}
.small{font-size:14px}
.facts{display:flex;flex-wrap:wrap;gap:8px;margin:14px 0 0;padding:0;list-style:none}
.facts li{background:var(--paper);border:1px solid var(--grid);border-radius:999px;padding:3px 12px;font-size:14px;
overflow-wrap:anywhere}
.facts b{font-weight:600}
.note{background:var(--note);border:1px solid var(--rim);border-radius:10px;padding:10px 14px;margin:16px 0 0}
section{background:var(--paper);border:1px solid var(--grid);border-radius:14px;padding:20px 22px;margin:20px 0}
.hero{display:grid;grid-template-columns:minmax(0,5fr) minmax(0,6fr);gap:28px;align-items:start}
.big{font-size:58px;line-height:1;font-weight:700;letter-spacing:-1px;font-variant-numeric:tabular-nums}
.name{font-weight:600;color:var(--muted);text-transform:none}
.cards{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:18px 26px}
.figure{font-size:26px;font-weight:650;line-height:1.2;font-variant-numeric:tabular-nums}
.track{position:relative;height:8px;border-radius:4px;background:var(--grid);margin:8px 0 6px;max-width:420px}
.track i{position:absolute;top:0;bottom:0;border-radius:4px;background:var(--blue);opacity:.45}
.track b{position:absolute;top:-3px;width:4px;height:14px;margin-left:-2px;border-radius:2px;background:var(--blue)}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:18px;margin-top:12px}
.pair{display:grid;grid-template-columns:minmax(0,5fr) minmax(0,7fr);gap:30px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:7px 10px;border-bottom:1px solid var(--grid);vertical-align:baseline}
thead th{color:var(--muted);font-size:13px;font-weight:600}
tbody th{font-weight:600}
.num{text-align:right;white-space:nowrap}
.matrix{table-layout:fixed;max-width:440px;min-width:280px}
.matrix td,.matrix th{text-align:center;overflow-wrap:anywhere}
.matrix th{font-size:14px;padding:6px 4px}
.matrix tbody th{text-align:right}
.matrix td{border:3px solid var(--paper);border-radius:8px;padding:16px 6px}
.matrix td strong{display:block;font-size:24px;line-height:1.1}
.scroll+p,.scroll+.scroll{margin-top:14px}
.tight td,.tight th{padding:3px 10px}
.heat{font-size:14px}
.heat td,.heat th{text-align:center;padding:4px 5px;white-space:nowrap}
.heat tbody th{text-align:left}
.matrix+.small{margin-top:12px}
.right{background:color-mix(in srgb,var(--blue) var(--share),var(--paper))}
.wrong{background:color-mix(in srgb,var(--vermillion) var(--share),var(--paper))}
.chart{display:block;width:100%;height:auto;max-width:560px;margin:0 auto;font-family:inherit}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:16px;margin-top:12px}
.gallery figure{margin:0}
.gallery img{display:block;width:100%;height:auto;aspect-ratio:1;object-fit:contain;background:#000;border-radius:8px}
.shot{position:relative}
.gallery img.heat{position:absolute;left:0;top:0;height:100%;background:none}
#heat:not(:checked)~.gallery .heat{display:none}
.ramp{width:90px;height:10px;border-radius:3px;vertical-align:baseline}
figcaption{font-size:14px;line-height:1.35;margin-top:6px;overflow-wrap:anywhere}
details{border-top:1px solid var(--grid);padding:10px 0}
summary{cursor:pointer;font-weight:600}
pre{overflow-x:auto;background:var(--page);border-radius:8px;padding:12px 14px;font:13px/1.45 ui-monospace,
SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;margin:10px 0 0}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:4px 18px;margin:10px 0 14px}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}
footer{padding-bottom:40px;color:var(--muted);font-size:14px}
.s-paper{stroke:var(--paper)}.s-text{stroke:var(--text)}.s-muted{stroke:var(--muted)}.s-grid{stroke:var(--grid)}
.s-blue{stroke:var(--blue)}.s-vermillion{stroke:var(--vermillion)}.s-green{stroke:var(--green)}
.s-orange{stroke:var(--orange)}.s-purple{stroke:var(--purple)}.s-sky{stroke:var(--sky)}
.f-paper{fill:var(--paper)}.f-text{fill:var(--text)}.f-muted{fill:var(--muted)}.f-grid{fill:var(--grid)}
.f-blue{fill:var(--blue)}.f-vermillion{fill:var(--vermillion)}.f-green{fill:var(--green)}
.f-orange{fill:var(--orange)}.f-purple{fill:var(--purple)}.f-sky{fill:var(--sky)}
@media (max-width:760px){.hero,.pair{grid-template-columns:minmax(0,1fr)}section{padding:16px}main,header,footer{
padding-left:12px;padding-right:12px}.big{font-size:48px}.optional{display:none}
.gallery{grid-template-columns:repeat(2,minmax(0,1fr))}}
@media (max-width:420px){.matrix th{font-size:13px;padding:6px 2px}.cards{gap:16px 14px}.figure{font-size:22px}}
@media print{:root{color-scheme:light;--page:#fff}body{font-size:11pt}section{break-inside:avoid;border-radius:0}
.long{break-inside:auto}.gallery figure{break-inside:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)css";
}

}  // namespace xrai
