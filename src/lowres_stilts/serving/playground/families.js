// What each family of tasks is asked: its route, its fields, and the body of its request.

const PARAPHRASE = ["pawsx", "pawsx-en", "qqp", "mrpc"];
const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

const field = (name, label, more = {}) => ({ name, label, rows: 3, required: true, ...more });
const PAIRS = {
  nli: [field("text", "Premise"), field("pair", "Hypothesis", { rows: 2 })],
  paraphrase: [field("text", "First sentence", { rows: 2 }), field("pair", "Second sentence", { rows: 2 })],
  text: [field("text", "Text", { rows: 4 }), field("pair", "Second text", { rows: 2, required: false, note: "for tasks about pairs" })],
};
const LEADS = {
  nli: "Does the first text say, deny, or leave open the second?",
  paraphrase: "Do the two sentences mean the same?",
  text: "Which label fits the text?",
};

/** One field or two, where `/info` knows what the adapter was trained on. */
const textsOf = (adapter) => {
  const fields = PAIRS[kindOf(adapter)];
  if (adapter.texts === 1) return fields.slice(0, 1);
  return adapter.texts === 2 ? fields.map((own) => ({ ...own, required: true, note: undefined })) : fields;
};
const classification = {
  title: "Classification",
  route: "/predict",
  lead: (adapter) => LEADS[kindOf(adapter)],
  fields: textsOf,
  body: ({ text, pair = "" }) => ({ inputs: [pair.trim() ? [text, pair] : [text]] }),
};
const tagging = {
  title: "Tagging",
  route: "/token-classification",
  lead: () => "Names, parts of speech or other tags, word by word.",
  fields: () => [field("text", "Sentence", { rows: 4 })],
  body: ({ text }) => ({ inputs: text, parameters: { aggregation_strategy: "simple" } }),
};
const qa = {
  title: "Question answering",
  route: "/question-answering",
  lead: () => "The answer is a stretch of the text that you give.",
  fields: () => [field("question", "Question", { rows: 1 }), field("context", "Text that holds the answer", { rows: 6 })],
  body: ({ question, context }) => ({ inputs: { question, context } }),
};
const multipleChoice = {
  title: "Multiple choice",
  route: "/multiple-choice",
  lead: () => "Which of several continuations is the likeliest?",
  fields: () => [field("prompt", "Prompt", { rows: 2 }), field("choices", "Choices", { note: "one on each line" })],
  body: ({ prompt, choices }) => ({ inputs: { prompt, choices: lines(choices) } }),
};
const retrieval = {
  title: "Retrieval",
  route: "/rerank",
  lead: () => "Texts ordered by how near they are to the query in meaning, across languages.",
  fields: () => [field("query", "Query", { rows: 1 }), field("texts", "Texts to search", { rows: 7, note: "one on each line" })],
  body: ({ query, texts }) => ({ query, texts: lines(texts), return_text: true }),
};

/** By the family's name in `/info`; retrieval is the bare encoder's. */
export const FAMILIES = { classification, tagging, qa, multiple_choice: multipleChoice, retrieval };

/** Which examples fit an adapter. */
export function kindOf(adapter) {
  if (adapter.family !== "classification") return adapter.family;
  if (adapter.texts === 1) return "text";
  if (adapter.labels.includes("entailment")) return "nli";
  return PARAPHRASE.includes(adapter.task) ? "paraphrase" : "text";
}

/** Everything that `/info` offers, bare encoders last: `{id, name, task, family, labels, bundle, …}`. */
export function offered(info) {
  const several = info.bundles.length > 1;
  const adapters = info.bundles.flatMap((bundle) =>
    bundle.adapters.map((own) => ({ ...own, id: several && !own.name.startsWith(`${bundle.name}/`) ? `${bundle.name}/${own.name}` : own.name, labels: own.labels ?? [], bundle })),
  );
  const bare = info.bundles.map((bundle) => ({ id: bundle.name, name: bundle.name, task: "similarity", family: "retrieval", labels: [], bundle }));
  return [...adapters, ...bare].filter((own) => own.family in FAMILIES);
}

/** The fields of an example as they stand in the form. */
export function filled(example, passages) {
  const values = { ...example };
  if (example.choices) values.choices = example.choices.join("\n");
  if (example.query) values.texts = passages.join("\n");
  return values;
}

/** Examples of a language for an adapter. */
export function examplesFor(adapter, own) {
  const kind = kindOf(adapter);
  return own[kind] ?? own.tagging; // a single text may be any sentence
}
