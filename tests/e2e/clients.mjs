// The official npm clients: reads a streamed answer of a guard and prints what came of it as JSON.
// node clients.mjs chat|responses|anthropic|batches URL TOKEN, in a directory whose node_modules has the clients.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.cwd()}/`);
const load = async (name) => import(pathToFileURL(require.resolve(name)));
const [, , api, url, token] = process.argv;

async function chat() {
  const { default: OpenAI } = await load("openai");
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token, maxRetries: 0 });
  const run = client.chat.completions.stream({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }] });
  let text = "";
  for await (const chunk of run) text += chunk.choices[0]?.delta?.content ?? "";
  return { text, final: (await run.finalChatCompletion()).choices[0].message };
}

async function responses() {
  const { default: OpenAI } = await load("openai");
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token, maxRetries: 0 });
  const run = client.responses.stream({ model: "gpt-4o-mini", input: "Hi" });
  const texts = { text: "", summary: "", arguments: "" };
  const kinds = {
    "response.output_text.delta": "text",
    "response.reasoning_summary_text.delta": "summary",
    "response.function_call_arguments.delta": "arguments",
  };
  for await (const event of run) if (kinds[event.type]) texts[kinds[event.type]] += event.delta;
  return { ...texts, final: (await run.finalResponse()).output };
}

async function anthropic() {
  const { default: Anthropic } = await load("@anthropic-ai/sdk");
  const client = new Anthropic({ baseURL: `${url}/anthropic`, apiKey: token, maxRetries: 0 });
  const request = { model: "claude-sonnet-4-5", max_tokens: 99, messages: [{ role: "user", content: "Hi" }] };
  const run = client.messages.stream(request);
  const kinds = [];
  for await (const event of run) kinds.push(event.type);
  return { kinds, final: await run.finalMessage() };
}

async function batches() {
  const { default: Anthropic } = await load("@anthropic-ai/sdk");
  const client = new Anthropic({ baseURL: `${url}/anthropic`, apiKey: token, maxRetries: 0 });
  const read = [];
  for await (const result of await client.messages.batches.results("msgbatch_1")) read.push(result);
  return read;
}

console.log(JSON.stringify(await { chat, responses, anthropic, batches }[api]()));
