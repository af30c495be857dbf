"use strict";
// Keyboard, buttons, files that are dropped, and the beginning.
const keys = {
  Home: () => step(0), End: () => step(link.do.length), h: () => step(behind() - 1), ArrowLeft: () => step(behind() - 1), l: () => step(behind() + 1), ArrowRight: () => step(behind() + 1),
  j: () => choose(1), ArrowDown: () => choose(1), k: () => choose(-1), ArrowUp: () => choose(-1),
  Enter: () => (document.querySelector("#may .chosen") ?? document.querySelector("#lesson .on"))?.click(), u: undo, U: redo, v: () => violation(1), V: () => violation(-1),
  i: () => { $("legend").open = !$("legend").open; }, e: () => pressed(".try"),
  d: () => pressed(".branch"), q: () => pressed(".back, .tolesson"), R: () => pressed(".again"), L: () => pressed(".leave, .done"), O: () => $("file").click(),
  b: () => guess("b") || nextBranch(), a: () => guess("a"), c: () => guess("c"), n: nearest, t: () => $("play")?.click(),
  x: () => { $("refusals").open = !$("refusals").open; }, m: museumPage, "/": doorsPage, o: () => $("scope").focus(), g: () => $("without").focus(), N: () => $("sought").focus(),
  w: () => setSide("model"), r: () => setSide("impl"), W: () => setSide("sound"), f: () => $("find").focus(), y: copyLink, s: save, p: lessonsPage,
  z: otherLanguage, "?": () => openDialog(el("h2", "", w("help")), el("ul", "keyhelp", w("keyhelp").split(" · ").map((key) => el("li", "", key)))),
};
// A button of the lesson or the exercise, by its key.
function pressed(which) { document.querySelector("#lesson").querySelector(which)?.click(); }
// In a lesson a letter is a guess.
function guess(letter) {
  const choice = document.querySelectorAll("#lesson .choice")["abc".indexOf(letter)];
  choice?.click();
  return choice !== undefined;
}
function choose(by) {
  const buttons = [...document.querySelectorAll("#may .act")];
  if (!buttons.length) return;
  chosen = (chosen + by + buttons.length) % buttons.length;
  buttons.forEach((button, at) => button.classList.toggle("chosen", at === chosen));
  buttons[chosen].focus();
}
// The filter ends with what was looked for: Enter takes it, Escape gives it up.
function filtered(event) {
  event.preventDefault();
  if (event.key.startsWith("Arrow")) return choose(event.key === "ArrowDown" ? 1 : -1);
  const found = document.querySelector("#may .chosen") ?? document.querySelector("#may .act");
  if (event.key === "Enter" && !found) return;
  $("find").blur();
  if (event.key === "Enter") return take(found.dataset.name);
  $("find").value = "";
  drawActs();
  drawRefusals();
}
function setSide(side) { link.side = link.side === side ? "" : side; go(); }
// The link of what is shown, even where the address has another that is wrong. Who copies a
// Chinese page sends a Chinese one; the default language goes without saying.
async function copyLink() {
  const href = location.href.split("#")[0] + fragment() + (language === "zh" ? "&lang=zh" : "");
  try { await navigator.clipboard.writeText(href); note(w("copied")); } catch { note(href); }
}
async function save() {
  try {
    const response = await reach(`/api/save?${query()}`);
    if (!response.ok) throw new Error((await response.json()).error);
    const to = el("a");
    to.href = URL.createObjectURL(await response.blob());
    to.download = "scenario.jsonl";
    to.click();
    URL.revokeObjectURL(to.href);
  } catch (error) { say(error.message); }
}
// What a lesson is opened with again.
const sameLesson = () => ({ branch: link.branch, side: link.side, other: link.other,
  own: onLesson() || link.branch ? null : { scope: link.scope, without: link.without, do: link.do } });
function otherLanguage() {
  language = language === "en" ? "zh" : "en";
  keep();
  if (lesson) openLesson(lesson.number, link.at, sameLesson());
  else if (exercise) openExercise(exercise.number, link.do, link.at, { side: link.side, other: link.other });
  else go(false);
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog").open || !shown) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
    if (event.key === "Escape" && event.target === $("scope")) $("scope").value = link.scope;
    if (event.target === $("find") && /^(Escape|Enter|Arrow(Down|Up))$/.test(event.key)) return filtered(event);
    if (event.key === "Escape" || (event.key === "Enter" && event.target.tagName === "SELECT")) event.target.blur();
    return;
  }
  if (event.key === "Enter" && /^(BUTTON|SUMMARY)$/.test(event.target.tagName)) return;
  const does = keys[event.key];
  if (does) { event.preventDefault(); does(); }
});
$("undo").onclick = undo;
$("redo").onclick = redo;
$("previous").onclick = () => step(behind() - 1);
$("next").onclick = () => step(behind() + 1);
$("lessons").onclick = lessonsPage;
$("museum").onclick = museumPage;
$("save").onclick = save;
$("open").onclick = keys.O;
$("file").onchange = async () => { const [file] = $("file").files; if (file) await openText(await file.text()); $("file").value = ""; };
$("copy").onclick = copyLink;
$("language").onclick = otherLanguage;
$("help").onclick = keys["?"];
$("close").onclick = () => $("dialog").close();
$("find").oninput = () => { chosen = -1; drawActs(); drawRefusals(); };
$("refusals").ontoggle = () => drawRefusals();
$("doors").onclick = doorsPage;
$("nearest").onclick = nearest;
$("other").onchange = () => { link.other = $("other").value; go(); };
$("scope").onchange = () => {
  const scope = $("scope").value.trim();
  if (scope && scope !== link.scope) begin({ scope, without: link.without, do: [] });
  else $("scope").value = link.scope;
};
// A list that is filled in offers only what begins so; who opens it wants all.
$("scope").onfocus = () => { $("scope").placeholder = link.scope; $("scope").value = ""; };
$("scope").onblur = () => { if (!$("scope").value.trim()) $("scope").value = link.scope; };
$("without").onchange = () => { leaveSteps(); link.without = $("without").value; leaveExercise(); go(); };
$("side").onchange = () => { link.side = $("side").value; go(); };
$("scrub").oninput = () => step(Number($("scrub").value));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", async (event) => { event.preventDefault(); const file = event.dataTransfer.files[0]; if (file) openText(await file.text()); });
// Letters are keys of the page again once something was chosen: by the mouse at once, by letters
// with Enter or Escape, because every letter chooses.
let typed = false;
for (const id of ["without", "other", "side", "sought"]) {
  $(id).addEventListener("pointerdown", () => { typed = false; });
  $(id).addEventListener("keydown", () => { typed = true; });
  $(id).addEventListener("change", () => { if (!typed) $(id).blur(); });
}
$("scrub").addEventListener("change", () => $("scrub").blur());
window.addEventListener("popstate", () => start(false));
window.addEventListener("hashchange", () => { if (decodeURIComponent(location.hash) !== decodeURIComponent(fragment())) start(false); });
// A page that was left open finds out when somebody comes back to it.
window.addEventListener("focus", () => { if (first) ask("/api/first").catch((error) => say(error.message)); });

// What a link may have beside a lesson, an exercise or an exhibit. A lesson's own scope and guards
// are given up with its steps alone.
const TAKEN = { exhibit: ["without", "at", "side", "other"], exercise: ["do", "at", "side", "other"],
  lesson: ["branch", "at", "side", "other", "do", "scope", "without"] };
function leftOut(fields) {
  const main = ["exhibit", "lesson", "exercise"].find((name) => fields[name] !== undefined);
  const taken = (name) => TAKEN[main].includes(name) && !(main === "lesson" && fields.do === undefined && ["scope", "without"].includes(name));
  const odd = main && Object.keys(fields).find((name) => name !== main && name !== "through" && FIELDS.includes(name) && !taken(name));
  return odd ? w("leftout", { f: `${odd}=${fields[odd]}`, of: `${main}=${fields[main]}` }) : "";
}
async function start(push = true) {
  try {
    if (!list || !first) [list, first] = await Promise.all([ask("/api/list"), ask("/api/first")]);
    const { fields, wrong } = readFragment(), also = wrong || leftOut(fields), { side, other } = link;
    if (fields.exhibit) return await openExhibit(fields.exhibit, { at: link.at, side, other, ...(fields.without === undefined ? {} : { without: fields.without }) }, also);
    if (fields.lesson !== undefined) {
      const own = fields.do === undefined ? null : { do: link.do };
      for (const name of ["scope", "without"]) if (own && fields[name] !== undefined) own[name] = fields[name];
      return await openLesson(link.lesson, link.at, { branch: fields.branch ?? "", own, side, other, also });
    }
    if (fields.exercise !== undefined) return await openExercise(link.exercise, link.do, link.at, { side, other, also });
    if (lesson) leaveLesson();
    leaveExercise();
    const served = !link.scope && ["without", "do", "at", "side", "other"].some((name) => fields[name] !== undefined);
    // A link without a scope is one of what is served; without steps it has those of the file.
    if (!link.scope) Object.assign(link, { scope: first.scope, without: fields.without ?? first.without },
      fields.do === undefined ? { do: first.do, through: first.do.length > 0 } : {});
    await go(push, also || (served ? w("noscope", { s: link.scope }) : ""));
  } catch (error) { await fallBack(error.message); }
}
start();
