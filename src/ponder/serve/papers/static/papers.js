// Searches while one types, and watches a run. The page works without it: the form is sent, the page is loaded again.
const form = document.querySelector("form[data-search]");
const results = document.querySelector("#results");
if (form && results) {
  let asked = 0;
  const search = async () => {
    const mine = ++asked;
    const query = new URLSearchParams(new FormData(form));
    const reply = await fetch(`/papers/results?${query}`);
    if (reply.ok && mine === asked) {
      results.innerHTML = await reply.text();
      history.replaceState(null, "", `/papers?${query}`);
    }
  };
  let timer = 0;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, 120);
  });
}
const run = document.querySelector("#run");
const watch = async () => {
  const state = run.querySelector("[data-run]")?.dataset.run;
  if (state !== "queued" && state !== "running") return;
  const reply = await fetch(run.dataset.address);
  if (reply.ok) run.innerHTML = await reply.text();
  const now = run.querySelector("[data-run]")?.dataset.run;
  if (now === "done") location.reload();
  else setTimeout(watch, 1000);
};
if (run) setTimeout(watch, 1000);
