"use strict";
// One trace without a server: the views of all its steps are in the page.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const changed = (before, change) => {
  const after = { ...before, ...change, stores: { ...before.stores, ...change.stores } };
  for (const [id, store] of Object.entries(after.stores)) if (store === null) delete after.stores[id];
  return after;
};
const views = [changed({ stores: {}, held: [], pd: {} }, data.first)];
for (const step of data.steps) views.push(changed(views.at(-1), step.change));
let at = 0;

const told = (step) => ({ ...step, words: step.words[language], outcome: step.outcome[language],
  meaning: step.meaning?.[language], changes: step.changes[language], note: step.note?.[language] });

function readFragment() {
  const fields = Object.fromEntries(location.hash.slice(1).split("&").map((part) => part.split("=")));
  if (fields.lang === "zh" || fields.lang === "en") language = fields.lang;
  const to = Number(fields.at ?? data.steps.length);
  at = Number.isInteger(to) ? Math.max(0, Math.min(to, data.steps.length)) : data.steps.length;
}
function go(to) {
  at = Math.max(0, Math.min(to, data.steps.length));
  history.replaceState(null, "", `#at=${at}`);
  draw();
}
function violation(direction) {
  for (let to = at + direction; to > 0 && to <= data.steps.length; to += direction) if (data.steps[to - 1].violated.length) return go(to);
}
// Why nobody knows whether the state heals.
function whyUnjudged() {
  const { guard, step } = data.unjudged;
  return guard === undefined ? w("unjudgedstep", { n: step }) : w("unjudgedguard", { g: guard });
}
function draw() {
  document.documentElement.lang = language;
  document.querySelectorAll("[data-w]").forEach((node) => { node.textContent = w(node.dataset.w); });
  $("language").textContent = language === "en" ? "中文" : "EN";
  $("title").textContent = data.title;
  const steps = data.steps.map(told), view = views[at];
  const words = at ? data.steps[at - 1].broken[language] : data.broken[language];
  $("where").textContent = whereText(at, steps.length);
  const of = at ? data.steps[at - 1].health : data.health, health = of && { ...of, missed: of.missed?.[language] ?? [] };
  drawVerdicts($("verdicts"), $("broken"), words.map((one) => ({ property: one.split(/[:：]/)[0], words: one })), data.properties,
    !health ? "unjudged" : health.heals ? "heals" : "stuck");
  drawHealth($("health"), health);
  $("heals").replaceChildren(...health ? health.missed.map((missed) => el("div", "row bad", `✘ ${missed}`)) : [el("div", "row", whyUnjudged())]);
  $("file").replaceChildren(data.verdict ? el("div", "row", `${w("file")}: ${data.verdict[language]}`) : "");
  drawStory($("story"), steps, at, data.question[language]);
  drawLegend($("marks"));
  const open = $("about").querySelector("details")?.open ?? false;
  $("about").replaceChildren(el("details", "", el("summary", "", w("about")), data.about[language].map((line) => el("p", "also", line))));
  $("about").firstChild.open = open;
  drawLanes($("lanes"), view, views[at - 1]);
  drawQuorum($("quorum"), view);
  drawKeys($("keys"), view, rangesOf(views[0]));
  drawDriver($("pd"), view, (region) => reportRefused(steps, at, region));
  drawHeld($("held"), view.held_words?.[language]);
  $("scrub").max = steps.length;
  $("scrub").value = at;
  $("tree").replaceChildren(el("div", "path", [...Array(steps.length + 1).keys()].map((to) => dot(steps, to, to === at, go))));
  inView($("tree"));
  document.body.dataset.ready = `${at}/${steps.length}`;
}
function otherLanguage() { language = language === "en" ? "zh" : "en"; keep(); draw(); }
function help() { $("page").replaceChildren(el("h2", "", w("help")), el("p", "", w("stillhelp"))); $("dialog").showModal(); }
const keys = { h: () => go(at - 1), ArrowLeft: () => go(at - 1), l: () => go(at + 1), ArrowRight: () => go(at + 1),
  Home: () => go(0), End: () => go(data.steps.length), v: () => violation(1), V: () => violation(-1), z: otherLanguage, "?": help,
  i: () => { $("legend").open = !$("legend").open; } };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog").open || event.target.tagName === "INPUT") return;
  const does = keys[event.key];
  if (does) { event.preventDefault(); does(); }
});
$("previous").onclick = () => go(at - 1);
$("next").onclick = () => go(at + 1);
$("scrub").oninput = () => go(Number($("scrub").value));
$("language").onclick = otherLanguage;
$("help").onclick = help;
$("close").onclick = () => $("dialog").close();
window.addEventListener("hashchange", () => { readFragment(); draw(); });
readFragment();
draw();
