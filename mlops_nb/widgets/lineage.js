// Draws a lineage, layer by layer: what it came from on the left, what it led to on the right.
// State comes in the traits `graph` (root, nodes, edges) and `words`; a chosen node goes out as {of: id}.

const WIDTH = 168, HEIGHT = 44, GAP_X = 64, GAP_Y = 16, MARGIN = 12;
const SVG = "http://www.w3.org/2000/svg";

function element(kind, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function short(text, letters = 23) {
  return text.length > letters ? `${text.slice(0, letters - 1)}…` : text;
}

/** Where each node stands: a column for each layer, rows from the top. */
function placed(nodes) {
  const layers = [...new Set(nodes.map((node) => node.layer))].sort((a, b) => a - b);
  const rows = new Map();
  return new Map(nodes.map((node) => {
    const row = rows.get(node.layer) ?? 0;
    rows.set(node.layer, row + 1);
    const x = MARGIN + layers.indexOf(node.layer) * (WIDTH + GAP_X);
    return [node.id, { x, y: MARGIN + row * (HEIGHT + GAP_Y), row, layer: node.layer }];
  }));
}

function edgeOf(edge, places) {
  const [from, to] = [places.get(edge.source), places.get(edge.target)];
  const [x0, y0, x1, y1] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2];
  const bend = Math.max(24, Math.abs(x1 - x0) / 2);
  const path = element("path", { d: `M${x0},${y0} C${x0 + bend},${y0} ${x1 - bend},${y1} ${x1},${y1}` });
  path.append(element("title", {}, `${edge.verb} by ${edge.by}`));
  return path;
}

function nodeOf(node, place, root) {
  const outside = ["data", "img"].includes(node.kind) ? "brought in" : "";
  const who = [...node.made, ...node.done].map((act) => `${act.verb} by ${act.by}`).join(", ") || outside;
  const box = element("g", {
    class: node.id === root ? "node root" : "node", transform: `translate(${place.x},${place.y})`,
    tabindex: node.id === root ? 0 : -1, role: "button", "data-id": node.id,
    "aria-label": `${node.kind} ${node.label}${who && `: ${who}`}`,
  });
  const label = element("text", { x: 10, y: 18, class: "label" }, short(node.label));
  const made = element("text", { x: 10, y: 35, class: "made" }, short([node.kind, who].filter(Boolean).join(" · "), 27));
  box.append(element("rect", { width: WIDTH, height: HEIGHT, rx: 4 }), label, made);
  box.append(element("title", {}, `${node.id}\n${who}`));
  return box;
}

/** The node that an arrow key leads to: along an edge, or up and down a layer. */
function beside(id, key, graph, places) {
  const here = places.get(id);
  if (key === "ArrowLeft") return graph.edges.find((edge) => edge.target === id)?.source;
  if (key === "ArrowRight") return graph.edges.find((edge) => edge.source === id)?.target;
  const row = here.row + (key === "ArrowUp" ? -1 : 1);
  return graph.nodes.find(({ id: other }) => {
    const place = places.get(other);
    return place.layer === here.layer && place.row === row;
  })?.id;
}

function draw(graph, choose) {
  const places = placed(graph.nodes);
  const all = [...places.values()];
  const width = Math.max(...all.map((place) => place.x)) + WIDTH + MARGIN;
  const height = Math.max(...all.map((place) => place.y)) + HEIGHT + MARGIN;
  const picture = element("svg", { width, height, role: "group", "aria-label": "Lineage; arrow keys move" });
  const lines = element("g", { class: "edges" });
  for (const edge of graph.edges) lines.append(edgeOf(edge, places));
  picture.append(lines);
  for (const node of graph.nodes) picture.append(nodeOf(node, places.get(node.id), graph.root));
  const focus = (id) => {
    for (const one of picture.querySelectorAll(".node")) one.tabIndex = one.dataset.id === id ? 0 : -1;
    picture.querySelector(`[data-id="${CSS.escape(id)}"]`).focus();
  };
  picture.addEventListener("keydown", (event) => {
    const id = event.target.closest(".node")?.dataset.id;
    if (!id) return;
    if (event.key === "Enter" || event.key === " ") choose(id);
    else if (event.key.startsWith("Arrow")) { const to = beside(id, event.key, graph, places); if (to) focus(to); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  picture.addEventListener("click", (event) => {
    const id = event.target.closest(".node")?.dataset.id;
    if (id) choose(id);
  });
  return picture;
}

/** Scroll to what was asked for, once the page has given the frame a width. */
function centre(frame) {
  const root = frame.querySelector(".root")?.getBoundingClientRect();
  if (root) frame.scrollLeft += root.left - frame.getBoundingClientRect().left - (frame.clientWidth - WIDTH) / 2;
}

/** What is known of one node, with a way to see its own lineage. */
function detail(node, graph, go) {
  const made = document.createElement("div");
  const title = document.createElement("b");
  title.textContent = `${node.kind} ${node.label}`;
  const name = document.createElement("code");
  name.textContent = node.id;
  made.append(title, " ", name);
  for (const act of [...node.made, ...node.done]) {
    const line = document.createElement("div");
    const at = `${act.at.slice(0, 16).replace("T", " ")} UTC`;
    line.textContent = `${act.verb} by ${act.by}, ${at}${act.said ? `: ${act.said}` : ""}`;
    made.append(line);
  }
  if (node.id !== graph.root && node.kind !== "more") {
    const button = document.createElement("button");
    button.className = "jupyter-button";
    button.textContent = "Show its lineage";
    button.addEventListener("click", () => go(node.id));
    made.append(button);
  }
  return made;
}

function render({ model, el }) {
  el.classList.add("mlops-nb-lineage");
  const words = document.createElement("div");
  const frame = document.createElement("div");
  const told = document.createElement("div");
  const text = document.createElement("details");
  frame.className = "frame";
  for (const one of [words, told]) one.setAttribute("aria-live", "polite");
  el.append(words, frame, told, text);
  const update = () => {
    const graph = model.get("graph");
    words.textContent = model.get("words");
    frame.replaceChildren();
    told.replaceChildren();
    text.replaceChildren();
    if (!graph.nodes?.length) return;
    const choose = (id) => {
      const node = graph.nodes.find((one) => one.id === id);
      told.replaceChildren(detail(node, graph, (of) => model.send({ of })));
    };
    frame.append(draw(graph, choose));
    choose(graph.root);
    const summary = document.createElement("summary");
    const tree = document.createElement("pre");
    summary.textContent = "The same as text";
    tree.textContent = model.get("tree");
    text.append(summary, tree);
    requestAnimationFrame(() => centre(frame));
  };
  model.on("change:graph", update);
  model.on("change:words", update);
  update();
  return () => { model.off("change:graph", update); model.off("change:words", update); };
}

export default { render };
