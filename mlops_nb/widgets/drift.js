// Draws evidence of a change over the frames that were seen, and what it has to reach for a page.
// State comes in the traits `looks` ([frame, odds, threshold]), `alerts`, `words`, `error` and `busy`;
// {check: true} and {acknowledge: id, comment} go out.

const WIDTH = 640, HEIGHT = 240, LEFT = 56, RIGHT = 12, TOP = 12, BOTTOM = 36;
const SVG = "http://www.w3.org/2000/svg";

function element(kind, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

/** From frames and odds to pixels; odds multiply, so their axis is logarithmic. */
function scales(looks) {
  const last = Math.max(...looks.map(([frame]) => frame));
  const most = Math.max(...looks.flatMap(([, odds, threshold]) => [odds, threshold]));
  const tens = Math.max(1, Math.ceil(Math.log10(most)));
  return {
    tens, last,
    x: (frame) => LEFT + (frame / last) * (WIDTH - LEFT - RIGHT),
    y: (odds) => HEIGHT - BOTTOM - (Math.log10(Math.max(1, odds)) / tens) * (HEIGHT - TOP - BOTTOM),
  };
}

/** Ten to this power, as it is written. */
function power(ten) {
  return `10${[...String(ten)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`;
}

function axes({ x, y, tens, last }) {
  const made = element("g", { class: "axes" });
  const every = Math.max(1, Math.ceil(tens / 4));
  for (let ten = 0; ten <= tens; ten += every) {
    made.append(element("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(10 ** ten), y2: y(10 ** ten) }));
    made.append(element("text", { x: LEFT - 6, y: y(10 ** ten) + 4, "text-anchor": "end" }, ten ? power(ten) : "1"));
  }
  for (const part of [0, 0.5, 1]) {
    const frame = Math.round(part * last);
    made.append(element("text", { x: x(frame), y: HEIGHT - BOTTOM + 16, "text-anchor": part === 1 ? "end" : "middle" }, frame));
  }
  made.append(element("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "frames answered"));
  return made;
}

function draw(looks, alerts) {
  const at = scales(looks);
  const [frame, odds, threshold] = looks.at(-1);
  const known = [[0, 1, looks[0][2]], ...looks]; // before the first answer nothing speaks for a change
  const points = (column) => known.map((look) => `${at.x(look[0])},${at.y(look[column])}`).join(" ");
  const said = `Odds against chance by frames answered: ${odds.toPrecision(3)} at frame ${frame}; a page at ${threshold.toPrecision(3)}.`;
  const picture = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": said });
  picture.append(axes(at));
  picture.append(element("polyline", { points: points(2), class: "threshold" }));
  picture.append(element("polyline", { points: points(1), class: "odds" }));
  picture.append(element("text", { x: LEFT + 4, y: at.y(looks[0][2]) - 5 }, "page above"));
  for (const alert of alerts) {
    const x = at.x(alert.at_frame);
    picture.append(element("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM, class: alert.level }));
    const beside = x < WIDTH - 60 ? { x: x + 4 } : { x: x - 4, "text-anchor": "end" };
    picture.append(element("text", { ...beside, y: TOP + 10, class: alert.level }, alert.level));
  }
  return picture;
}

function html(kind, text = "", attributes = {}) {
  const made = document.createElement(kind);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** One alert: what happened, and who has taken it on or a way to do so. */
function alertRow(alert, send) {
  const row = html("div", "", { class: "alert" });
  row.append(html("span", `${alert.level} at frame ${alert.at_frame}: ${alert.sentence} `));
  if (alert.acknowledged_by) {
    row.append(html("span", `Taken on by ${alert.acknowledged_by}${alert.comment ? `: ${alert.comment}` : "."}`));
  } else {
    const comment = html("input", "", { "aria-label": "comment", placeholder: "what you do about it" });
    const button = html("button", "Acknowledge", { class: "jupyter-button" });
    button.addEventListener("click", () => send({ acknowledge: alert.id, comment: comment.value }));
    comment.addEventListener("keydown", (event) => event.stopPropagation());
    row.append(comment, button);
  }
  return row;
}

function render({ model, el }) {
  el.classList.add("mlops-nb-drift");
  const words = html("div", "", { role: "status" });
  const frame = html("div");
  const list = html("div", "", { "aria-live": "polite" });
  const error = html("div", "", { role: "alert", class: "error" });
  const check = html("button", "Check now", { class: "jupyter-button", title: "Run the monitor, and page if it must" });
  check.addEventListener("click", () => model.send({ check: true }));
  el.append(words, frame, list, error, check);
  let drawn = false;
  const update = () => {
    drawn = false;
    const [looks, alerts] = [model.get("looks"), model.get("alerts")];
    words.textContent = model.get("words");
    error.textContent = model.get("error");
    check.disabled = model.get("busy");
    frame.replaceChildren(...(looks.length ? [draw(looks, alerts)] : []));
    const typed = list.querySelector("input:focus, input:not(:placeholder-shown)");
    if (!typed || list.dataset.alerts !== JSON.stringify(alerts)) {
      list.replaceChildren(...alerts.map((alert) => alertRow(alert, (said) => model.send(said))));
      list.dataset.alerts = JSON.stringify(alerts);
    }
  };
  const soon = () => { if (!drawn) { drawn = true; requestAnimationFrame(update); } };
  const names = ["looks", "alerts", "words", "error", "busy"];
  for (const name of names) model.on(`change:${name}`, soon);
  update();
  return () => { for (const name of names) model.off(`change:${name}`, soon); };
}

export default { render };
