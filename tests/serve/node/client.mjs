// The real `openai` package against a gateway; prints what it got as one line of JSON.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "What is 7 * 8?" }];
const model = "scripted:sample(16)|vote()";

const whole = await client.chat.completions.create({ model, messages, seed: 1 });
const byField = await client.chat.completions.create({ model: "scripted", messages, ponder: { method: "sample(16)|vote()", seed: 1 } });
const stream = await client.chat.completions.create({
  model: "scripted", messages, seed: 1, stream: true, stream_options: { include_usage: true },
});
const pieces = [];
let usage = null;
for await (const chunk of stream) {
  if (chunk.choices[0]?.delta.content) pieces.push(chunk.choices[0].delta.content);
  usage = chunk.usage ?? usage;
}
const plain = await client.chat.completions.create({ model: "scripted", messages, seed: 1 });
const method = await client.chat.completions.stream({ model, messages, seed: 1 }).finalChatCompletion();
const names = [];
for await (const m of client.models.list()) names.push(m.id);
let refused = null;
try {
  await client.chat.completions.create({ model, messages, logprobs: true });
} catch (error) {
  refused = [error.status, error.type, error.param];
}
let timedOut = false;
try {
  await client.chat.completions.create({ model: "slow", messages }, { timeout: 300 });
} catch (error) {
  timedOut = error instanceof OpenAI.APIConnectionTimeoutError;
}
console.log(JSON.stringify({ whole, byField, pieces, usage, plain, method, names, refused, timedOut }));
