// The page: what there is to ask, the form, and its answer.

import { ServiceError, ask, useKey } from "./api.js";
import { byId, make, words } from "./dom.js";
import { FAMILIES, examplesFor, filled, offered } from "./families.js";
import { SHOWN } from "./results.js";
import { measure, note, watch } from "./throughput.js";

const TIMES = 100;
const TOGETHER = 8;
const state = { adapters: [], chosen: null, examples: null, turn: {}, asked: 0 };

async function start() {
  watch();
  state.examples = (await ask("/playground/examples.json")).data;
  drawLanguages();
  await connect();
  setInterval(checkHealth, 5000);
}

/** Reads what the service has, and offers it. */
async function connect() {
  try {
    const { data } = await ask("/info");
    state.adapters = offered(data);
    drawAdapters();
    const wanted = location.hash.slice(1);
    choose(state.adapters.find((own) => encodeURIComponent(own.id) === wanted) ?? state.adapters[0]);
    hideProblem();
  } catch (error) {
    showProblem(error);
    byId("adapters").replaceChildren(make("p", { class: "faint" }, "No adapters to show."));
  }
  await checkHealth();
}

async function checkHealth() {
  let state = "ready";
  try {
    await ask("/health");
  } catch (error) {
    state = error.status ? "not ready" : "not reachable";
  }
  byId("health").dataset.state = state;
  if (byId("health-text").textContent !== state) byId("health-text").textContent = state; // only changes are read aloud
}

function drawAdapters() {
  const groups = Object.entries(FAMILIES).map(([family, { title }]) => {
    const own = state.adapters.filter((adapter) => adapter.family === family);
    return own.length ? make("fieldset", {}, make("legend", {}, title), ...own.map(card)) : null;
  });
  byId("adapters").replaceChildren(...groups.filter(Boolean));
}

function card(adapter) {
  const input = make("input", { type: "radio", name: "adapter", value: adapter.id });
  input.addEventListener("change", () => choose(adapter));
  return make("label", { class: "card" }, input, make("span", { class: "name" }, adapter.id), make("span", { class: "task" }, adapter.task));
}

function choose(adapter) {
  if (!adapter) return;
  state.chosen = adapter;
  history.replaceState(null, "", `#${encodeURIComponent(adapter.id)}`);
  for (const input of byId("adapters").elements) if (input.type === "radio") input.checked = input.value === adapter.id;
  const family = FAMILIES[adapter.family];
  byId("adapter-title").textContent = adapter.id;
  byId("adapter-lead").textContent = family.lead(adapter);
  byId("adapter-facts").replaceChildren(...facts(adapter).map((fact) => make("li", {}, fact)));
  byId("fields").replaceChildren(...family.fields(adapter).map(drawField));
  for (const id of ["question", "examples"]) byId(id).hidden = false;
  byId("measure").disabled = false;
  forget();
}

function facts({ task, labels, max_length: longest, licence, bundle }) {
  const base = typeof bundle.base === "string" ? bundle.base : bundle.base?.id;
  const many = labels.length > 6 ? `${labels.length} labels` : labels.join(" · ");
  const weights = bundle.quantize === "none" ? "float32" : bundle.quantize;
  return [task, many, longest ? `${longest} tokens` : "", [base, weights].filter(Boolean).join(", "), licence ? `licence ${licence}` : ""].filter(Boolean);
}

function drawField({ name, label, rows, required, note: remark }) {
  const id = `field-${name}`;
  const area = make("textarea", { id, name, rows, required, dir: "auto", spellcheck: "false" });
  area.style.setProperty("--rows", rows);
  const title = make("label", { for: id }, label, remark ? make("small", {}, ` ${remark}`) : null);
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("question").requestSubmit();
  });
  area.addEventListener("input", () => area.removeAttribute("lang"));
  return make("div", { class: "field" }, title, area);
}

function drawLanguages() {
  const buttons = state.examples.languages.map(({ code, name, native }) => {
    const button = make("button", { type: "button", lang: code, title: name }, native);
    if (native !== name) button.append(make("span", { class: "unseen", lang: "en" }, `, ${name}`));
    button.addEventListener("click", () => tryExample(code));
    return button;
  });
  byId("languages").replaceChildren(...buttons);
}

/** Fills the form with the next example of a language, and asks. */
function tryExample(code) {
  const found = examplesFor(state.chosen, state.examples.examples[code]);
  const turn = `${state.chosen.id} ${code}`;
  const at = state.turn[turn] ?? 0;
  state.turn[turn] = (at + 1) % found.length;
  const values = filled(found[at], state.examples.passages);
  for (const area of areas()) {
    area.value = values[area.name] ?? "";
    area.lang = area.name === "texts" ? "" : code;
  }
  answer();
}

const areas = () => [...byId("fields").querySelectorAll("textarea")];
const values = () => Object.fromEntries(areas().map((area) => [area.name, area.value]));

function request() {
  const { id, family } = state.chosen;
  return { route: FAMILIES[family].route, body: { model: id, ...FAMILIES[family].body(values()) } };
}

async function answer() {
  const turn = ++state.asked;
  const { family } = state.chosen;
  const given = values();
  const { route, body } = request();
  byId("go").setAttribute("aria-busy", "true");
  try {
    const { data, milliseconds } = await ask(route, body);
    if (turn !== state.asked) return; // something else was asked meanwhile
    note(milliseconds);
    show(SHOWN[family](data, given), areas()[0].lang);
    byId("curl").textContent = curl(route, body);
    byId("json").textContent = JSON.stringify(data, null, 2);
    byId("request").hidden = false;
    hideProblem();
  } catch (error) {
    if (turn === state.asked) showProblem(error);
  } finally {
    if (turn === state.asked) byId("go").removeAttribute("aria-busy");
  }
}

function show({ summary, nodes }, language) {
  const [said, figure] = summary;
  byId("summary").replaceChildren(words("span", said, { class: "said" }), figure ? make("span", { class: "unseen" }, `, ${figure}`) : "");
  byId("result").replaceChildren(...nodes);
  if (language) byId("result").lang = language;
  else byId("result").removeAttribute("lang");
  byId("answer").scrollIntoView({ block: "nearest" }); // on a phone it is below the form
}

function forget() {
  state.asked += 1; // an answer that is still on its way is not wanted any more
  byId("go").removeAttribute("aria-busy");
  byId("summary").textContent = "Press a language, or write something of your own.";
  byId("result").replaceChildren();
  byId("request").hidden = true;
  hideProblem();
}

function showProblem(error) {
  const said = error instanceof ServiceError ? error.message : "Something on this page went wrong; reloading it may help.";
  const id = error.requestId ? ` (request ${error.requestId})` : "";
  byId("problem").textContent = `${said}${id}`;
  byId("problem").hidden = false;
  if (error.status === 401 || error.status === 403) openKey();
  if (!(error instanceof ServiceError)) console.error(error);
}

function hideProblem() {
  byId("problem").hidden = true;
  byId("problem").textContent = "";
}

/** The request as a command for a shell. */
function curl(route, body) {
  const json = JSON.stringify(body).replaceAll("'", "'\\''");
  return `curl ${location.origin}${route} \\\n  -H 'Content-Type: application/json' \\\n  -d '${json}'`;
}

async function measureIt() {
  if (!byId("question").reportValidity()) return;
  byId("measure").disabled = true;
  byId("measured").textContent = "Sending…";
  const { route, body } = request();
  try {
    const { rate, median, slowest, refused } = await measure(() => ask(route, body), TIMES, TOGETHER);
    const busy = refused ? `, ${refused} turned away` : "";
    byId("measured").textContent = `${rate.toFixed(1)} requests / s; median ${median.toFixed(0)} ms, slowest 1 % ${slowest.toFixed(0)} ms${busy}.`;
  } catch (error) {
    byId("measured").textContent = "Stopped.";
    showProblem(error);
  }
  byId("measure").disabled = false;
}

function openKey(open = true) {
  byId("key-form").hidden = !open;
  byId("key-button").setAttribute("aria-expanded", String(open));
  if (open) byId("key").focus();
}

byId("question").addEventListener("submit", (event) => {
  event.preventDefault();
  answer();
});
byId("adapters").addEventListener("submit", (event) => event.preventDefault());
byId("clear").addEventListener("click", () => {
  for (const area of areas()) area.value = "";
  forget();
  areas()[0].focus();
});
byId("copy").addEventListener("click", async () => {
  await navigator.clipboard?.writeText(byId("curl").textContent);
  byId("copy").textContent = "Copied";
  setTimeout(() => (byId("copy").textContent = "Copy"), 1500);
});
byId("measure").addEventListener("click", measureIt);
byId("key-button").addEventListener("click", () => openKey(byId("key-form").hidden));
byId("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  useKey(byId("key").value);
  openKey(false);
  await connect();
});

start().catch(showProblem);
