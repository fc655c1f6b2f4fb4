// Figures of the service from `/metrics`, and of this page's own requests.

import { byId, make } from "./dom.js";
import { ask } from "./api.js";

const PERIOD = 2000;
const KEPT = 40;
const TOTALS = {
  requests: "lowres_stilts_requests_total",
  tokens: "lowres_stilts_tokens_total",
  seconds: "lowres_stilts_request_seconds_sum",
  count: "lowres_stilts_request_seconds_count",
};
const QUIET = /route="(\/|\/metrics|\/health|\/info|\/playground\/.*|none)"/; // this page's own looks are no work
const GAUGES = [
  ["requests", "requests / s", (value) => value.toFixed(1)],
  ["latency", "ms mean latency", (value) => value.toFixed(1)],
  ["tokens", "tokens / s", (value) => Math.round(value).toLocaleString("en")],
  ["own", "ms, your last answer", (value) => value.toFixed(0)],
];
const history = Object.fromEntries(GAUGES.map(([name]) => [name, Array(KEPT).fill(0)]));
const shown = {};
let last = null;

/** Draws the gauges and keeps them fresh while the page is looked at. */
export function watch() {
  for (const [name, unit] of GAUGES) {
    shown[name] = { figure: make("dd", {}, "–"), line: line() };
    byId("gauges").append(make("div", {}, make("dt", {}, unit), shown[name].figure, shown[name].line));
  }
  setInterval(() => document.hidden || refresh(), PERIOD);
  refresh();
}

/** Notes how long an answer took, in milliseconds. */
export const note = (milliseconds) => push("own", milliseconds);

/** Sends one request many times, `{rate, median, slowest, refused}`. */
export async function measure(send, times, together) {
  const spent = [];
  let refused = 0;
  let left = times;
  const started = performance.now();
  const one = async () => {
    while (left-- > 0) {
      try {
        spent.push((await send()).milliseconds);
      } catch (error) {
        if (![429, 503].includes(error.status)) throw error;
        refused += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: together }, one));
  spent.sort((one, other) => one - other);
  const at = (share) => spent[Math.min(spent.length - 1, Math.floor(share * spent.length))] ?? 0;
  return { rate: (1000 * spent.length) / (performance.now() - started), median: at(0.5), slowest: at(0.99), refused };
}

async function refresh() {
  let now;
  try {
    now = { at: performance.now(), ...totals((await ask("/metrics")).data) };
  } catch {
    last = null; // behind a key, or switched off: the page's own figure stays
    return;
  }
  if (last && now.count >= last.count) {
    const seconds = (now.at - last.at) / 1000;
    push("requests", (now.requests - last.requests) / seconds);
    push("tokens", (now.tokens - last.tokens) / seconds);
    const answered = now.count - last.count;
    if (answered) push("latency", (1000 * (now.seconds - last.seconds)) / answered);
  }
  last = now;
}

/** Sums of the metrics in Prometheus' text format, over all their labels. */
function totals(text) {
  const sums = Object.fromEntries(Object.keys(TOTALS).map((name) => [name, 0]));
  for (const row of text.split("\n")) {
    const [, metric, labels = "", value] = row.match(/^([a-z_]+)(\{.*\})? (\S+)/) ?? [];
    if (QUIET.test(labels)) continue;
    for (const [name, wanted] of Object.entries(TOTALS)) if (metric === wanted) sums[name] += Number(value);
  }
  return sums;
}

function push(name, value) {
  history[name].push(value);
  history[name].shift();
  const [, , written] = GAUGES.find(([own]) => own === name);
  shown[name].figure.textContent = written(value);
  draw(shown[name].line, history[name]);
}

const SVG = "http://www.w3.org/2000/svg";

function line() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${KEPT} 10`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "polyline"));
  return svg;
}

function draw(svg, values) {
  const most = Math.max(...values, 1e-9);
  const points = values.map((value, at) => `${at + 0.5},${9.5 - (9 * value) / most}`);
  svg.firstChild.setAttribute("points", points.join(" "));
}
