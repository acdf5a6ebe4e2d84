// The page with scripts: live validation of methods, and populations that are seen to grow.
import { html, render, nothing } from "./vendor/lit-html.js";
import { boxes, complaint } from "./method.js";
import { Search, view } from "./search.js";
import { events } from "./stream.js";

const form = document.querySelector("[data-ask]");
const results = document.querySelector("[data-results]");
const told = document.querySelector("[data-told]");
const stopping = document.querySelector("[data-stop]");
const asking = form.querySelector("button[type=submit]");
let running = [];

for (const field of form.querySelectorAll("[data-method]")) {
  const text = field.querySelector("textarea");
  const said = field.querySelector("[data-said]");
  const named = field.querySelector("select");
  let asked = 0;
  let wait = 0;

  async function check() {
    const mine = ++asked;
    if (!text.value.trim()) return render(nothing, said);
    let about;
    try {
      about = await (await fetch("/ui/method?" + new URLSearchParams({ text: text.value }))).json();
    } catch {
      return; // the server is away for a moment: the method is checked again when it is asked
    }
    if (mine !== asked) return;
    text.setAttribute("aria-invalid", String(about.ok === false));
    if (about.ok === undefined) return render(nothing, said);
    render(about.ok ? boxes(about, use) : complaint(about, text), said);
  }

  function use(value) {
    text.value = value;
    check();
  }

  named.hidden = false;
  named.addEventListener("change", () => {
    if (named.value) use(named.value);
    named.value = "";
    text.focus();
  });
  text.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(check, 200);
  });
  check();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
stopping.addEventListener("click", () => {
  for (const search of running) if (search.name) fetch(`/ui/stop/${search.name}`, { method: "POST" });
  stopping.disabled = true;
});

async function ask() {
  if (running.length) return;
  const fields = Object.fromEntries(new FormData(form));
  const second = form.querySelector("[data-second]").open ? fields.method2.trim() : "";
  const methods = [fields.method.trim() || "sample(16) | vote()", second].filter(Boolean);
  delete fields.method2;
  if (methods.length > 1 && !fields.seed) fields.seed = String(Math.floor(Math.random() * 2 ** 31)); // methods that begin alike draw alike
  running = methods.map((method) => new Search(method));
  const shown = running;
  let drawing = 0;
  const draw = () => {
    drawing ||= requestAnimationFrame(() => {
      drawing = 0;
      render(html`${shown.map((search) => view(search, draw))}`, results);
    });
  };
  results.classList.toggle("two", shown.length > 1);
  asking.disabled = true;
  stopping.hidden = stopping.disabled = false;
  told.textContent = "Pondering";
  draw();
  await Promise.all(shown.map((search, i) => follow(search, { ...fields, method: methods[i] }, draw)));
  running = [];
  asking.disabled = false;
  stopping.hidden = true;
  told.textContent = shown.map((s) => s.summary).join(" ");
}

async function follow(search, fields, draw) {
  try {
    for await (const event of events("/ui/ask", fields)) {
      search.take(event);
      draw();
    }
    if (!search.over) search.fail("The connection ended before the answer came.");
  } catch (error) {
    search.fail(error.message);
  }
  draw();
}
