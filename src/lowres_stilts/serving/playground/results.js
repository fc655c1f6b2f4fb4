// Answers, drawn by family. Each gives `{summary, nodes}`: what is said first and read aloud, with its figure, and what is shown below.

import { bar, direction, make, percent, words } from "./dom.js";

const HUES = ["hue0", "hue1", "hue2", "hue3", "hue4", "hue5", "hue6"];

/** A colour for a tag: the same one wherever it stands, neighbours apart. */
function hues(tags) {
  const known = { PER: "hue0", ORG: "hue1", LOC: "hue2", MISC: "hue3" };
  const sorted = [...new Set(tags)].sort();
  return Object.fromEntries(sorted.map((tag, at) => [tag, known[tag] ?? HUES[at % HUES.length]]));
}

function labels(data) {
  const found = Array.isArray(data[0]) ? data[0] : data;
  const sorted = [...found].sort((one, other) => other.score - one.score);
  const rows = sorted.map(({ label, score }, at) =>
    make("li", { class: at ? "" : "best" }, words("span", label, { class: "label" }), bar(score, percent(score))),
  );
  return { summary: [sorted[0].label, percent(sorted[0].score)], nodes: [make("ol", { class: "ranked" }, ...rows)] };
}

function tags(data, { text }) {
  const found = (Array.isArray(data[0]) ? data[0] : data).map((own) => ({ ...own, tag: own.entity_group ?? own.entity }));
  const colours = hues(found.map((own) => own.tag));
  const marks = found.map((own) => ({ ...own, class: `entity ${colours[own.tag]}` }));
  const shown = make("p", { class: "reading", dir: direction(text) }, ...marked(text, marks));
  if (!found.length) return { summary: ["Nothing found in this sentence."], nodes: [shown] };
  const rows = found.map((own) =>
    make("li", {}, words("span", own.word, { class: "label" }), make("span", { class: `tag ${colours[own.tag]}` }, own.tag), bar(own.score, percent(own.score), colours[own.tag])),
  );
  const said = found.map((own) => `${isolated(own.word)} (${own.tag})`).join(", ");
  return { summary: [found.length > 6 ? `${found.length} tags` : said], nodes: [shown, make("ol", { class: "ranked entities" }, ...rows)] };
}

/** Between marks of its own direction, so that it does not turn around what stands beside it. */
const isolated = (text) => `\u2068${text}\u2069`;

function span(data, { context }) {
  const [best] = Array.isArray(data) ? data : [data];
  if (!best.answer) {
    return { summary: ["No answer in this text", percent(best.score)], nodes: [words("p", context, { class: "reading" })] };
  }
  const mark = { start: best.start, end: best.end, class: "span" };
  return {
    summary: [best.answer, percent(best.score)],
    nodes: [make("p", { class: "reading", dir: direction(context) }, ...marked(context, [mark])), bar(best.score, percent(best.score), "warm")],
  };
}

function choice(data, { choices }) {
  const given = choices.split("\n").map((line) => line.trim()).filter(Boolean);
  const [answer] = Array.isArray(data) ? data : [data];
  const order = answer.scores.map((score, at) => ({ score, text: given[at] ?? "" })).sort((one, other) => other.score - one.score);
  const rows = order.map(({ score, text }, at) =>
    make("li", { class: at ? "" : "best" }, words("span", text, { class: "label" }), bar(score, percent(score))),
  );
  return { summary: [order[0].text, percent(order[0].score)], nodes: [make("ol", { class: "ranked long" }, ...rows)] };
}

function matches(data) {
  const floor = Math.min(...data.map((own) => own.score)) - 0.02;
  const rows = data.map(({ score, text }, at) =>
    make("li", { class: at ? "" : "best" }, words("span", text, { class: "label" }), bar((score - floor) / (1 - floor), score.toFixed(3))),
  );
  return {
    summary: [data[0].text, data[0].score.toFixed(3)],
    nodes: [make("ol", { class: "ranked long" }, ...rows), make("p", { class: "faint" }, `Cosine similarity; bars start at ${floor.toFixed(2)}.`)],
  };
}

/** Text with some stretches marked. Places count characters as Python does, not as JavaScript does. */
function marked(text, marks) {
  const characters = Array.from(text);
  const nodes = [];
  let at = 0;
  for (const mark of [...marks].sort((one, other) => one.start - other.start)) {
    if (mark.start < at) continue;
    nodes.push(characters.slice(at, mark.start).join(""));
    const inside = [make("bdi", {}, characters.slice(mark.start, mark.end).join(""))];
    if (mark.tag) inside.push(make("small", {}, mark.tag));
    nodes.push(make("mark", { class: mark.class }, ...inside));
    at = mark.end;
  }
  return [...nodes, characters.slice(at).join("")];
}

/** By family: from what came back, and the fields that were asked with. */
export const SHOWN = { classification: labels, tagging: tags, qa: span, multiple_choice: choice, retrieval: matches };
