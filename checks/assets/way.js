"use strict";
// Tells a way: the story of a step, verdicts, a dot for every step.

// `about` is what a file says of itself.
function drawStory(into, steps, at, question, about = []) {
  const taken = steps[at - 1];
  if (!taken) { into.replaceChildren(el("h2", "", w("begin")), el("p", "", question), ...about.map((line) => el("p", "note", line))); return; }
  into.replaceChildren(el("h2", "", `${at}. ${taken.words}`));
  if (taken.outcome && taken.outcome !== "done" && taken.outcome !== "完成") {
    into.append(el("p", "outcome", taken.outcome, taken.meaning ? `: ${taken.meaning}` : ""));
  }
  if (taken.note) into.append(el("p", "note", taken.note));
  into.append(el("ul", "", taken.changes.map((change) => el("li", "", change))));
  if (taken.rule) into.append(el("p", "rule", `${w("because")}: ${taken.rule}`));
}
function whereText(at, of) {
  return language === "zh" ? `第 ${at} 步，共 ${of} 步` : `${w("step")} ${at} ${w("of")} ${of}`;
}
// `all` is every property with what it says. What holds is no comfort where nothing heals: the
// mark of the good stands there only once that is known, or where nobody asks.
function drawVerdicts(short, long, broken, all, health = "unasked") {
  const names = new Set(broken.map((one) => one.property)), hold = all.filter((one) => !names.has(one.name));
  const many = w("holding", { n: hold.length, of: all.length });
  const good = !broken.length && (health === "heals" || health === "unasked");
  short.replaceChildren(el("span", good ? "good" : "", good ? `✔ ${many}` : many), ...broken.map((one) => el("span", "bad", `✘ ${one.property}`)));
  const open = long.querySelector("details")?.open ?? false;
  const list = el("details", "holding", el("summary", "", many), el("ul", "", hold.map((one) => {
    return el("li", "", el("b", "", `✔ ${one.name}`), ` ${one[language]}`);
  })));
  list.open = open;
  long.replaceChildren(...broken.map((one) => el("div", "row bad", `✘ ${one.words}`)), list);
}
// `healed` has whether the state heals, in how many steps, and what is missed; without it nobody knows.
function drawHealth(into, healed) {
  into.className = !healed ? "" : healed.heals ? "good" : "bad";
  into.replaceChildren(!healed ? w("unjudged") : healed.heals ? `♥ ${healed.steps ? w("healthy", { n: healed.steps }) : w("sound")}`
    : `✘ ${w("unhealthy")}${w("colon")}${[...new Set(healed.missed.map((missed) => missed.split(/[:：]/)[0]))].join(", ")}`);
}
function dot(steps, at, here, to) {
  const taken = steps[at - 1], bad = taken?.violated.length > 0;
  const button = el("button", `dot${here ? " here" : ""}${bad ? " bad" : ""}`, bad ? "✘" : taken && !taken.done ? "○" : "●");
  button.title = taken ? `${at}. ${taken.words}${bad ? ` ✘ ${taken.violated.join(", ")}` : ""}` : w("begin");
  button.setAttribute("aria-label", button.title);
  button.onclick = () => to(at);
  return button;
}
// A long way is scrolled to where the page is.
function inView(tree) {
  const here = tree.querySelector(".here"), left = here.offsetLeft - tree.offsetLeft, edge = 3 * here.offsetWidth;
  if (left < tree.scrollLeft + edge || left + edge > tree.scrollLeft + tree.clientWidth) tree.scrollLeft = left - tree.clientWidth / 2;
}
// Why PD refused the last report of a region, if it did; a report may come late.
function reportRefused(steps, at, region) {
  for (let number = at; number > 0; number--) {
    const taken = steps[number - 1];
    if (String(taken.reports) === region) return taken.done ? "" : `${taken.outcome.replace(/^(refused|拒绝)[:：] ?/, "")}${taken.meaning ? `: ${taken.meaning}` : ""}`;
  }
  return "";
}
