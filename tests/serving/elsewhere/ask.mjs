// Asks a service through clients of npm, and prints what they got as JSON.
import { InferenceClient } from "@huggingface/inference";
import OpenAI, { NotFoundError } from "openai";

const url = process.argv[2];
const texts = ["glad sun", "sad rain grey", "mvua inanyesha"];

async function openai() {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
  const found = await client.embeddings.create({ model: "bundle", input: texts });
  const plain = await client.embeddings.create({ model: "bundle", input: texts, encoding_format: "float" });
  let refused = null;
  try {
    await client.embeddings.create({ model: "nobody", input: "a" });
  } catch (error) {
    refused = [error instanceof NotFoundError, error.message];
  }
  return {
    vectors: found.data.map((one) => one.embedding),
    plain: plain.data.map((one) => one.embedding),
    tokens: found.usage.total_tokens,
    models: (await client.models.list()).data.map((one) => one.id),
    refused,
  };
}

async function hub() {
  const at = (path) => new InferenceClient(undefined, { endpointUrl: url + path });
  const tags = await at("/token-classification?adapter=first-intermediate-tags").tokenClassification({ inputs: texts[0] });
  const asked = { question: "good bad", context: "calm tea sea" };
  return {
    vectors: await at("").featureExtraction({ inputs: texts }),
    similarity: await at("/similarity").sentenceSimilarity({
      inputs: { source_sentence: "sad rain", sentences: texts },
    }),
    labels: (await at("/text-classification?adapter=first").textClassification({ inputs: texts[0] })).map((one) => [
      one.label,
      one.score,
    ]),
    tags: tags.map((one) => one.word),
    answer: (await at("/question-answering?adapter=second").questionAnswering({ inputs: asked })).answer,
  };
}

console.log(JSON.stringify({ openai: await openai(), hub: await hub() }));
