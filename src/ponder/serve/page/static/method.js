// A method drawn as boxes, or what is wrong with it and where.
import { html, nothing } from "./vendor/lit-html.js";

export function boxes(about, use) {
  const other = about.written_out !== about.text;
  return html`<div class="pipeline" role="group" aria-label="The method as boxes">${row(about.boxes)}</div>
    ${other ? html`<button type="button" class="link" @click=${() => use(about.written_out)}>Write it out in stages</button>` : nothing}`;
}

function row(list) {
  return html`<ol class="row">${list.map((box) => html`<li>${one(box)}</li>`)}</ol>`;
}

function one(box) {
  return html`<div class="box ${box.proper ? "proper" : "decides"}" title=${box.about}>
    <b>${box.name}</b>${box.facts ? html` <span>${box.facts}</span>` : nothing}
    ${box.inside.map((part) => html`<div class="inside">${row(part.boxes)}</div>`)}
  </div>`;
}

export function complaint(about, text) {
  if (about.position === null) return html`<p class="problem" role="alert">${about.reason}</p>`;
  const at = about.position;
  const go = () => {
    text.focus();
    text.setSelectionRange(at, at + 1);
  };
  const [before, wrong, after] = [text.value.slice(Math.max(0, at - 40), at), text.value[at] ?? " ", text.value.slice(at + 1, at + 40)];
  return html`<p class="problem" role="alert">${about.reason}</p>
    <p class="place"><code>${before}<mark>${wrong}</mark>${after}</code>
    <button type="button" class="link" @click=${go}>Go to character ${at + 1}</button></p>`;
}
