// A search as a drawing: a column a step, circles sized by weight, lines as thick as many copies, the winner in colour.
import { html, svg, nothing } from "./vendor/lit-html.js";

const [COLUMN, ROW, MARGIN] = [104, 24, 24];

export function tree(search, draw) {
  const root = search.nodes.get(0);
  const places = new Map();
  let [rows, deepest] = [0, 0];
  function place(node) {
    const ys = node.children.map(place);
    const y = ys.length ? (ys[0] + ys.at(-1)) / 2 : MARGIN + ROW * rows++;
    deepest = Math.max(deepest, node.depth);
    places.set(node.number, [MARGIN + COLUMN * node.depth, y]);
    return y;
  }
  place(root);
  const [width, height] = [MARGIN * 2 + COLUMN * deepest + 90, MARGIN + ROW * rows];
  const nodes = [...search.nodes.values()];
  const choose = (node) => () => {
    search.chosen = node.number;
    draw();
  };
  const told = `The search as a tree of ${nodes.length - 1} steps; the candidates below are its leaves`;
  return html`<div class="drawing" tabindex="0" role="region" aria-label="The population as a tree">
      <svg viewBox="0 0 ${width} ${height}" width=${width} height=${height} role="img" aria-label=${told}>
        ${nodes.filter((n) => n.number).map((n) => line(n, places.get(n.parent), places.get(n.number)))}
        ${nodes.map((n) => mark(n, places.get(n.number), search, choose(n)))}
      </svg></div>${chosen(search)}`;
}

function line(node, [x1, y1], [x2, y2]) {
  const middle = (x1 + x2) / 2;
  const css = `e${node.winner ? " v" : ""}${node.dropped ? " x" : ""}`;
  return svg`<path class=${css} stroke-width=${1 + Math.min(5, Math.log2(node.copies)) * 0.8} d="M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}"/>`;
}

function mark(node, [x, y], search, choose) {
  const css = node.winner || !node.number ? "w" : node.dropped ? "d" : search.present.has(node.number) || search.over ? "n" : "n past";
  const label = node.finished && node.value !== null ? node.value.slice(0, 12) : "";
  return svg`<circle class=${css} cx=${x} cy=${y} r=${3 + 6 * Math.sqrt(Math.min(1, node.share ?? 0))} @click=${choose}><title>${node.text?.trim() || "the question"}</title></circle>
    ${label ? svg`<text class=${node.winner ? "t" : ""} x=${x + 13} y=${y + 4}>${label}</text>` : nothing}`;
}

function chosen(search) {
  const node = search.chosen ? search.nodes.get(search.chosen) : null;
  return node ? html`<p class="chosen"><span class="num">step ${node.depth}${node.dropped ? `, dropped by ${node.dropped}` : `, weight ${node.share.toFixed(3)}`}</span><br>${node.text}</p>` : nothing;
}
