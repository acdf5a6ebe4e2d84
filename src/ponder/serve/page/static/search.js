// One search: what its events have told so far, and how that is shown.
import { html, nothing } from "./vendor/lit-html.js";
import { tree } from "./tree.js";

const MOST = 50;

export class Search {
  constructor(method) {
    this.method = method;
    this.name = "";
    this.nodes = new Map([[0, { number: 0, parent: null, depth: 0, text: "", children: [] }]]);
    this.present = new Map();
    this.steps = [];
    this.shares = [];
    this.text = "";
    this.chosen = null;
    this.answer = null;
    this.problem = "";
  }

  get over() {
    return this.answer !== null || this.problem !== "";
  }

  get summary() {
    if (this.problem) return this.problem;
    return this.answer.abstained ? `No answer: ${this.answer.reason}.` : `The answer is ${this.answer.value}.`;
  }

  take(event) {
    if (event.error) this.fail(event.error.message);
    else if (event.kind === "begun") Object.assign(this, { name: event.name, model: event.model, seed: event.seed, budget: event.budget });
    else if (event.kind === "text") this.text += event.text;
    else if (event.kind === "step") this.step(event);
    else this.done(event);
  }

  fail(message) {
    this.problem = message;
  }

  step(event) {
    for (const born of event.born) {
      const node = { ...born, children: [], copies: 1, share: 0 };
      this.nodes.set(born.number, node);
      this.nodes.get(born.parent).children.push(node);
    }
    this.present = new Map(event.present.map(([number, copies, share]) => [number, { copies, share }]));
    for (const [number, now] of this.present) Object.assign(this.nodes.get(number), { share: now.share, copies: Math.max(this.nodes.get(number).copies, now.copies) });
    for (const number of event.dropped) this.nodes.get(number).dropped = event.stage;
    if (event.shares.length) this.shares = event.shares;
    this.untold = event.untold;
    this.steps.push(event);
  }

  done(event) {
    const [winners, kept] = [new Set(event.winners), new Set(event.kept)];
    for (const node of this.nodes.values()) {
      node.winner = winners.has(node.number);
      if (kept.has(node.number)) node.dropped = "";
    }
    this.shares = event.shares;
    this.answer = event;
  }

  whole(node) {
    const line = [];
    for (let n = node; n && n.number; n = this.nodes.get(n.parent)) line.unshift(n.text);
    return line.join("");
  }
}

export function view(search, draw) {
  const last = search.steps.at(-1);
  return html`<section class="result" aria-label="What ${search.method} finds" aria-busy=${String(!search.over)}>
    <h2 class="by"><code>${search.method}</code></h2>
    ${head(search)}
    ${last ? html`<dl class="figures">${figure("candidates", last.size)}${figure("ess", last.ess?.toFixed(1) ?? "0")}${figure("tokens", last.tokens.toLocaleString("en"))}
      ${search.over ? nothing : html`${figure("round", last.round + 1)}${figure("budget", search.budget)}`}</dl>` : nothing}
    ${search.shares.length ? html`<h3>${search.over ? "Shares" : "Votes so far"}</h3><ul class="shares">${search.shares.map(share)}</ul>` : nothing}
    ${search.answer?.notes.length ? html`<ul class="notes">${search.answer.notes.map((n) => html`<li>${n}</li>`)}</ul>` : nothing}
    ${search.nodes.size > 1 ? html`<h3>The population</h3>${tree(search, draw)}` : nothing}
    ${search.steps.length ? stages(search) : nothing}
    ${search.nodes.size > 1 ? candidates(search) : nothing}
  </section>`;
}

function head(search) {
  if (search.problem) return html`<p class="problem">${search.problem}</p>`;
  const answer = search.answer;
  if (!answer) return html`<p class="value none thinking">${search.steps.length ? "Pondering" : "Waiting for the first candidates"}</p><p class="text">${search.text}</p>`;
  return html`${answer.abstained ? html`<p class="value none">No answer</p><p>${answer.reason}</p>` : html`<p class="value">${answer.value}</p>
    <p class="sure"><meter min="0" max="1" .value=${answer.confidence} aria-label="confidence"></meter>
    ${Math.round(answer.confidence * 100)}% of the weight stands behind it</p>`}
    <p class="bill">${answer.bill_text}; seed ${answer.seed}</p>`;
}

const figure = (name, value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;

const share = ([value, part]) => html`<li><span class="name">${value}</span>
  <meter min="0" max="1" .value=${part} aria-label="share of ${value.slice(0, 40)}"></meter><span class="num">${Math.round(part * 100)}%</span></li>`;

function stages(search) {
  return html`<details><summary>${search.steps.length} stage${search.steps.length > 1 ? "s" : ""}${search.over ? "" : " so far"}</summary><ol class="stages">
    ${search.steps.slice(-200).map((s) => html`<li><code>${s.stage}</code> <span class="num">round ${s.round + 1}: ${s.size} candidates, ess ${s.ess?.toFixed(1) ?? 0},
      ${s.tokens.toLocaleString("en")} tokens${s.dropped.length ? `, ${s.dropped.length} dropped` : ""}</span>${s.note ? html`<br><span class="num">${s.note}</span>` : nothing}</li>`)}
  </ol></details>`;
}

function candidates(search) {
  const families = new Map(); // equal texts are listed once, with their weight together
  for (const node of search.nodes.values()) {
    if (!node.number || node.children.length) continue;
    const text = search.whole(node);
    const key = (node.dropped ? "-" : "+") + text;
    const known = families.get(key) ?? { ...node, text, share: 0, drawn: 0 };
    families.set(key, { ...known, share: known.share + node.share, drawn: known.drawn + 1 });
  }
  const list = [...families.values()].sort((a, b) => (a.dropped ? 1 : 0) - (b.dropped ? 1 : 0) || b.share - a.share);
  return html`<details ?open=${search.over}><summary>${list.length} different candidate${list.length > 1 ? "s" : ""}, heaviest first</summary><ol class="candidates">
    ${list.slice(0, MOST).map((n) => html`<li class=${n.dropped ? "dropped" : ""}><p class="facts"><b>${n.value?.slice(0, 60) ?? (n.finished ? "no answer" : "unfinished")}</b>
      <span class="num">${n.dropped ? `dropped by ${n.dropped}` : `weight ${n.share.toFixed(3)}`}${n.drawn > 1 ? `, drawn ${n.drawn} times` : ""}</span></p><p class="text">${n.text}</p></li>`)}
  </ol>${list.length > MOST ? html`<p class="hint">${list.length - MOST} lighter ones are not listed.</p>` : nothing}
  ${search.untold ? html`<p class="hint">${search.untold} further steps were not sent to this page.</p>` : nothing}</details>`;
}
