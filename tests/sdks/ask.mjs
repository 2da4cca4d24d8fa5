// Ask a server through the SDKs for Node, as ask.py does through those for Python.
import { createMistral } from "@ai-sdk/mistral";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Mistral } from "@mistralai/mistralai";
import { embedMany } from "ai";
import OpenAI from "openai";

const [baseURL, known, apiKey] = process.argv.slice(2);
let model = known;
const v1 = `${baseURL}/v1`;
const texts = ["first text", "second, longer text", "Ünïcode: 漢字 🦆"];
const dtypes = ["float", "int8", "uint8", "binary", "ubinary"];
const encodings = [null, "float", "base64"]; // null: whatever the SDK does by itself

const openai = async (dtype, encoding) => {
  const client = new OpenAI({ apiKey, baseURL: v1, maxRetries: 0 });
  const wishes = { ...(encoding && { encoding_format: encoding }), ...(dtype !== "float" && { output_dtype: dtype }) };
  const answer = await client.embeddings.create({ model, input: texts, ...wishes });
  return answer.data.map((item) => item.embedding);
};

const mistral = async (dtype, encoding) => {
  const client = new Mistral({ apiKey, serverURL: baseURL, retryConfig: { strategy: "none" } });
  const wishes = { ...(encoding && { encodingFormat: encoding }), ...(dtype !== "float" && { outputDtype: dtype }) };
  const answer = await client.embeddings.create({ model, inputs: texts, ...wishes });
  return answer.data.map((item) => item.embedding);
};

// The providers of `ai` have no output_dtype: who wants one adds it on the way.
const ai = (make) => async (dtype, encoding) => {
  const adding = (url, init) => {
    const wishes = { ...(encoding && { encoding_format: encoding }), ...(dtype !== "float" && { output_dtype: dtype }) };
    return fetch(url, { ...init, body: JSON.stringify({ ...JSON.parse(init.body), ...wishes }) });
  };
  const answer = await embedMany({ model: make(adding), values: texts, maxRetries: 0 });
  return answer.embeddings;
};

const sdks = {
  "openai (Node)": openai,
  "@mistralai (Node)": mistral,
  "ai, openai (Node)": ai((fetch) =>
    createOpenAI({ baseURL: v1, apiKey, fetch }).textEmbeddingModel(model)),
  "ai, openai-compatible (Node)": ai((fetch) =>
    createOpenAICompatible({ name: "local", baseURL: v1, apiKey, fetch }).textEmbeddingModel(model)),
  "ai, mistral (Node)": ai((fetch) => createMistral({ baseURL: v1, apiKey, fetch }).textEmbeddingModel(model)),
};

for (const [sdk, ask] of Object.entries(sdks))
  for (const dtype of dtypes)
    for (const encoding of encodings) {
      const said = { sdk, dtype, encoding };
      try {
        said.rows = await ask(dtype, encoding);
      } catch (error) {
        said.error = `${error.name}: ${error.message}`;
      }
      console.log(JSON.stringify(said));
    }

model = "no-such-model";
for (const [sdk, ask] of Object.entries(sdks)) {
  const said = { sdk, dtype: null };
  try {
    said.rows = await ask("float", null);
  } catch (error) {
    said.error = `${error.name}: ${error.message}`;
  }
  console.log(JSON.stringify(said));
}
