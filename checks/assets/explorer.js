"use strict";
// The link is the state: scope, guards that are off, actions by name, and behind how many of them.
const $ = (id) => document.getElementById(id);
const link = { scope: "", without: "", do: [], at: null, side: "", lesson: 0 };
let shown = null, list = null, lesson = null, answered = {}, chosen = -1, mark = 0;
const tried = [], undone = [];

function fragment() {
  const parts = [];
  if (link.lesson) parts.push(`lesson=${link.lesson}`);
  if (link.scope) parts.push(`scope=${link.scope}`);
  if (link.without) parts.push(`without=${link.without}`);
  if (link.side) parts.push(`side=${link.side}`);
  if (link.at !== null && link.at < link.do.length) parts.push(`at=${link.at}`);
  if (link.do.length) parts.push(`do=${link.do.join(";")}`);
  return `#${parts.join("&")}`;
}
function readFragment() {
  const fields = Object.fromEntries(decodeURIComponent(location.hash.slice(1)).split("&").filter(Boolean).map((part) => {
    const at = part.indexOf("=");
    return at < 0 ? [part, ""] : [part.slice(0, at), part.slice(at + 1)];
  }));
  link.scope = fields.scope ?? "";
  link.without = fields.without ?? "";
  link.do = (fields.do ?? "").split(";").filter(Boolean);
  link.at = fields.at === undefined || !/^\d+$/.test(fields.at) ? null : Number(fields.at);
  link.side = fields.side ?? "";
  link.lesson = /^\d+$/.test(fields.lesson ?? "") ? Number(fields.lesson) : 0;
  return fields;
}
function query(more = {}) {
  const fields = { scope: link.scope, without: link.without, do: link.do.join(";"), ...more };
  // In a lesson a refused step is a step: that it is refused is the point.
  if (lesson) fields.through = "1";
  if (link.at !== null) fields.at = Math.min(link.at, link.do.length);
  return new URLSearchParams(fields).toString();
}
async function ask(path, options) {
  let response;
  try { response = await fetch(path, options); } catch { throw new Error(w("ended")); }
  const answer = await response.json();
  if (answer.error) throw new Error(answer.error);
  return answer;
}
function say(text) { $("error").textContent = text; $("error").hidden = !text; }
const behind = () => (link.at === null ? link.do.length : Math.min(link.at, link.do.length));

// Every change of the link goes through here; an answer that came too late is dropped.
async function go(push = true) {
  const mine = ++mark;
  if (push && fragment() !== location.hash) history.pushState(null, "", fragment());
  try {
    const answer = await ask(`/api/state?${query()}`);
    if (mine !== mark) return;
    shown = answer;
    say(shown.stopped ? `${w("stopped", { n: shown.stopped.step })}: ${shown.stopped.words} — ${shown.stopped.because} ${w("before")}` : "");
    remember();
    draw();
    beside(mine);
    healing(mine);
  } catch (error) {
    if (mine === mark) { say(error.message); document.body.dataset.ready = "error"; }
  }
}
function remember() {
  const key = link.do.join(";");
  if (!key || tried.some((other) => other.scope === link.scope && (other.key === key || other.key.startsWith(`${key};`)))) return;
  for (let at = tried.length - 1; at >= 0; at--) if (tried[at].scope === link.scope && key.startsWith(`${tried[at].key};`)) tried.splice(at, 1);
  tried.unshift({ scope: link.scope, without: link.without, do: [...link.do], key });
  tried.length = Math.min(tried.length, 12);
}
function take(name) {
  undone.length = 0;
  link.do = [...link.do.slice(0, behind()), name];
  link.at = null;
  if (lesson) leaveLesson();
  go();
}
function step(to) { link.at = Math.max(0, Math.min(to, lesson || !shown ? link.do.length : shown.steps.length)); if (lesson) drawLesson(); go(); }
function undo() { if (!link.do.length) return; undone.push(link.do.at(-1)); link.do = link.do.slice(0, -1); link.at = null; go(); }
function redo() { if (!undone.length) return; link.do = [...link.do, undone.pop()]; link.at = null; go(); }
function violation(direction) {
  const broken = (at) => shown.steps[at - 1]?.violated.length > 0;
  for (let at = shown.at + direction; at >= 0 && at <= shown.steps.length; at += direction) if (broken(at)) return step(at);
}

function draw() {
  document.documentElement.lang = language;
  document.querySelectorAll("[data-w]").forEach((node) => { node.textContent = w(node.dataset.w); });
  $("language").textContent = language === "en" ? "中文" : "English";
  $("find").placeholder = w("find");
  $("scope").value = link.scope;
  fillSelects();
  $("where").textContent = language === "zh" ? `第 ${shown.at} 步，共 ${shown.steps.length} 步` : `${w("step")} ${shown.at} ${w("of")} ${shown.steps.length}`;
  $("verdicts").replaceChildren(el("span", "good", `✔ ${shown.judged - shown.broken.length}`),
    ...shown.broken.map((broken) => el("span", "bad", `✘ ${broken.property}`)));
  drawStory();
  drawActs();
  drawLanes($("lanes"), shown.view, shown.before, link.side ? (link.without ? `− ${link.without}` : w("none")) : "");
  drawQuorum($("quorum"), shown.view);
  drawKeys($("keys"), shown.view);
  drawDriver($("pd"), shown.view);
  drawHeld($("held"), shown.view);
  $("broken").replaceChildren(...shown.broken.map((broken) => el("div", "row bad", `✘ ${broken.words}`)),
    el("div", "row good", `✔ ${shown.judged - shown.broken.length} ${w("sound")}`));
  $("scrub").max = shown.steps.length;
  $("scrub").value = shown.at;
  drawTree();
  document.body.dataset.ready = `${shown.at}/${shown.steps.length}`;
}
function fillSelects() {
  const without = $("without");
  without.replaceChildren(new Option(w("none"), ""), ...(list?.guards ?? []).map((guard) => new Option(guard.name, guard.name)));
  if (link.without && !(list?.guards ?? []).some((guard) => guard.name === link.without)) without.append(new Option(link.without, link.without));
  without.value = link.without;
  const side = $("side");
  side.replaceChildren(new Option(w("one"), ""), new Option(w("every"), "model"), new Option(w("impl"), "impl"));
  side.value = link.side;
}
function drawStory() {
  const at = shown.at, taken = shown.steps[at - 1], story = $("story");
  story.replaceChildren();
  if (!taken) { story.append(el("h2", "", w("begin")), el("p", "", shown.question)); return; }
  story.append(el("h2", "", `${at}. ${taken.words}`));
  if (taken.outcome !== "done") story.append(el("p", "outcome", taken.outcome));
  story.append(el("ul", "", taken.changes.map((change) => el("li", "", change))));
}
function drawActs() {
  const word = $("find").value.toLowerCase(), fits = (act) => (act.words + act.name).toLowerCase().includes(word);
  const may = shown.may.filter(fits), box = $("may");
  chosen = Math.min(chosen, may.length - 1);
  box.replaceChildren();
  let group = null;
  may.forEach((act, at) => {
    const key = `${act.region ? `region ${act.region}` : ""} ${act.store ? `store ${act.store}` : "PD"}`.trim();
    if (key !== group) { group = key; box.append(el("h3", "", key)); }
    const button = el("button", `act${at === chosen ? " chosen" : ""}`, act.words.replace(/ region \d+:/, ""));
    button.dataset.name = act.name;
    button.title = act.changes.join("\n") || act.words;
    button.onclick = () => take(act.name);
    box.append(button);
  });
  if (!shown.may.length) box.append(el("p", "", w("nothing")));
  const not = shown.may_not.filter(fits).sort((a, b) => (a.reason < b.reason ? -1 : a.reason > b.reason ? 1 : 0));
  $("refusals").querySelector("summary").textContent = `${w("maynot")} (${not.length})`;
  const lines = $("maynot");
  lines.replaceChildren();
  let reason = null;
  for (const act of not) {
    if (act.reason !== reason) { reason = act.reason; lines.append(el("h3", "", `${act.reason}: `, el("span", "", act.meaning))); }
    const line = el("button", "not", act.words.replace(/ region (\d+):/, " r$1:"));
    line.dataset.name = act.name;
    line.onclick = () => why(act, line);
    lines.append(line);
  }
}
async function why(act, line) {
  try {
    const told = await ask(`/api/why?${query({ action: act.name })}`);
    line.nextElementSibling?.classList.contains("why") && line.nextElementSibling.remove();
    const box = el("div", "why", el("p", "", `${told.outcome}: ${told.meaning}`), el("p", "", told.places.join(", ")));
    if (!told.guards.length) box.append(el("p", "", w("noguard")));
    for (const guard of told.guards) {
      const button = el("button", "", w("drop", { g: guard }));
      button.onclick = () => { link.without = link.without ? `${link.without},${guard}` : guard; take(act.name); };
      box.append(button);
    }
    line.after(box);
  } catch (error) { say(error.message); }
}
async function beside(mine) {
  $("others").hidden = !link.side;
  $("parted").hidden = !link.side;
  document.body.dataset.beside = "";
  if (!link.side) return;
  try {
    const other = await ask(`/api/beside?${query({ side: link.side, other: "" })}`);
    if (mine !== mark) return;
    drawLanes($("others"), other.view, shown.view, other.name === "every guard on" ? w("none") : other.name);
    const parted = $("parted");
    parted.replaceChildren();
    if (other.parted) {
      parted.append(el("b", "", `${w("parted", { n: other.parted.step })}: ${other.parted.words}`),
        el("p", "", `${w("here")}: ${other.parted.here} · ${w("there")}: ${other.parted.there}`),
        el("ul", "", other.parted.differences.slice(0, 20).map((one) => el("li", "", `${one.path}: ${JSON.stringify(one.expected)} | ${JSON.stringify(one.actual)}`))));
    } else parted.append(w("same", { n: other.compared }));
    parted.className = other.parted ? "bad" : "good";
    document.body.dataset.beside = other.parted ? `parted ${other.parted.step}` : "same";
  } catch (error) { if (mine === mark) say(error.message); }
}
async function healing(mine) {
  const box = $("heals");
  box.replaceChildren(el("div", "row", w("healing")));
  try {
    const healed = await ask(`/api/heals?${query()}`);
    if (mine !== mark) return;
    box.replaceChildren();
    if (healed.heals) {
      const play = el("button", "", w("play"));
      play.onclick = () => { link.do = [...link.do.slice(0, shown.at), ...healed.way]; link.at = shown.at + 1; if (lesson) leaveLesson(); go(); };
      box.append(el("div", "row good", `♥ ${w("heals", { n: healed.steps })} `, healed.way.length ? play : ""));
    } else {
      box.append(el("div", "row bad", `✘ ${w("stuck")}`), ...healed.missed.map((missed) => el("div", "row", missed)),
        ...healed.refused.slice(0, 6).map(([words, reason]) => el("div", "row", `${w("refused")}: ${words}: ${reason}`)));
    }
    box.append(...healed.stuck_reasons.map((reason) => el("div", "row", `${w("excused")}: ${reason}`)));
    document.body.dataset.heals = healed.heals ? "heals" : "stuck";
  } catch (error) { if (mine === mark) say(error.message); }
}
function drawTree() {
  const tree = $("tree");
  tree.replaceChildren();
  const row = el("div", "path");
  for (let at = 0; at <= shown.steps.length; at++) {
    const taken = shown.steps[at - 1];
    const dot = el("button", `dot${at === shown.at ? " here" : ""}${taken?.violated.length ? " bad" : ""}`, taken?.violated.length ? "✘" : "●");
    dot.title = taken ? `${at}. ${taken.words}${taken.violated.length ? ` ✘ ${taken.violated.join(", ")}` : ""}` : w("begin");
    dot.onclick = () => step(at);
    row.append(dot);
  }
  tree.append(row);
  for (const other of tried) {
    if (other.scope !== link.scope || other.key === link.do.join(";") || link.do.join(";").startsWith(other.key)) continue;
    let shared = 0;
    while (shared < other.do.length && other.do[shared] === link.do[shared]) shared++;
    const branch = el("button", "branch", `${w("tried")}: ${"· ".repeat(Math.min(shared, 40))}└${"○".repeat(Math.min(other.do.length - shared, 40))} ${other.do[shared] ?? ""}`);
    branch.onclick = () => { link.do = [...other.do]; link.without = other.without; link.at = null; go(); };
    tree.append(branch);
  }
}

// Lessons.
async function openLesson(number, at = 0) {
  try {
    lesson = await ask(`/api/lesson?number=${number}&lang=${language}`);
    Object.assign(link, { lesson: number, scope: lesson.scope, without: lesson.without, do: lesson.do, at, side: "" });
    answered = {};
    $("dialog").close();
    drawLesson();
    go();
  } catch (error) { say(error.message); }
}
function leaveLesson() { lesson = null; link.lesson = 0; $("lesson").hidden = true; }
// A lesson's text: `code` and **what matters** as such.
function prose(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) =>
    part.startsWith("`") ? el("code", "", part.slice(1, -1)) : part.startsWith("**") ? el("b", "", part.slice(2, -2)) : part);
}
function drawLesson() {
  const box = $("lesson"), at = behind();
  box.hidden = false;
  box.replaceChildren(el("h2", "", `${lesson.number}. ${lesson.title}`));
  const paragraphs = (text) => text.split(/\n+/).filter(Boolean).map((line) => el("p", "", prose(line)));
  if (at === 0) box.append(...paragraphs(lesson.story));
  else box.append(el("p", "narrated", prose(lesson.steps[at - 1] ?? "")));
  const last = lesson.questions.findIndex((question) => question.before === at);
  if (last >= 0 && answered[last] !== undefined) drawAnswer(box, lesson.questions[last], answered[last]);
  const next = lesson.questions.findIndex((question) => question.before === at + 1);
  if (next >= 0 && answered[next] === undefined) {
    const question = lesson.questions[next];
    box.append(el("div", "question", el("p", "", prose(question.question)), question.choices.map((choice, letter) => {
      const button = el("button", "choice", `${"abc"[letter]}) `, prose(choice));
      button.onclick = () => { answered[next] = letter; step(at + 1); };
      return button;
    })));
    return;
  }
  if (at < lesson.do.length) {
    const on = el("button", "on", `${w("step")} ${at + 1} ▶`);
    on.onclick = () => step(at + 1);
    box.append(on);
    return;
  }
  const attempt = el("button", "try", w("try"));
  attempt.onclick = () => { Object.assign(link, { scope: lesson.exercise_scope, without: lesson.exercise_without, do: [], at: null }); leaveLesson(); go(); };
  const done = el("button", "done", w("ends"));
  done.onclick = () => { leaveLesson(); go(); };
  box.append(el("h3", "", w("rule")), ...paragraphs(lesson.rule), el("p", "guard", `guard: ${lesson.guard}`), el("h3", "", w("claims")),
    el("ul", "", lesson.claims.map((claim) => el("li", "", claim))), el("h3", "", w("exercise")), ...paragraphs(lesson.exercise), attempt, done);
}
function drawAnswer(box, question, letter) {
  const right = letter === question.right;
  box.append(el("div", right ? "answer good" : "answer bad", el("b", "", right ? w("right") : `${w("wrong")} ${question.choices[question.right]}`), el("p", "", prose(question.answer))));
  const branch = question.branches[letter];
  if (right || !branch) return;
  const show = el("button", "branch", w("branch"));
  const lessonsOwn = { scope: lesson.scope, without: lesson.without, do: lesson.do };
  show.onclick = () => {
    const back = el("button", "back", w("back"));
    const at = behind();
    back.onclick = () => { Object.assign(link, lessonsOwn, { at }); drawLesson(); go(false); };
    box.replaceChildren(el("h2", "", question.choices[letter]), el("p", "", prose(question.told[letter])), back);
    Object.assign(link, { without: branch.without, do: branch.do, at: null });
    go(false);
  };
  box.append(show);
}

// Dialogs.
function openDialog(...children) { $("page").replaceChildren(...children); if (!$("dialog").open) $("dialog").showModal(); }
function lessonsPage() {
  openDialog(el("h2", "", w("lessons")), list.lessons.map((one) => {
    const button = el("button", "line", `${one.number}. ${one[language]}`);
    button.onclick = () => openLesson(one.number);
    return button;
  }).reduce((box, button) => { box.append(button); return box; }, el("div")));
}
function museumPage() {
  openDialog(el("h2", "", w("museum")), list.exhibits.reduce((box, one) => {
    const button = el("button", "line", one.name);
    button.title = `${one.guard} · ${one.scope}`;
    button.onclick = () => openExhibit(one.name);
    box.append(button);
    return box;
  }, el("div")));
}
async function openExhibit(name) {
  try {
    const opened = await ask(`/api/exhibit?name=${encodeURIComponent(name)}`);
    $("dialog").close();
    begin(opened);
  } catch (error) { say(error.message); }
}
function begin(opened, at = null) { if (lesson) leaveLesson(); Object.assign(link, { scope: opened.scope, without: opened.without, do: opened.do, at, side: "" }); go(); }
async function openText(text) { try { begin(await ask("/api/open", { method: "POST", body: text })); } catch (error) { say(error.message); } }

// Hands.
const keys = {
  h: () => step(shown.at - 1), ArrowLeft: () => step(shown.at - 1), l: () => step(shown.at + 1), ArrowRight: () => step(shown.at + 1),
  j: () => choose(1), ArrowDown: () => choose(1), k: () => choose(-1), ArrowUp: () => choose(-1),
  Enter: () => document.querySelector("#may .chosen")?.click(), u: undo, U: redo, v: () => violation(1), V: () => violation(-1),
  w: () => setSide("model"), r: () => setSide("impl"), f: () => $("find").focus(), y: copyLink, s: save, p: lessonsPage,
  z: otherLanguage, "?": () => openDialog(el("h2", "", w("help")), el("p", "", w("keyhelp"))),
};
function choose(by) {
  const buttons = [...document.querySelectorAll("#may .act")];
  if (!buttons.length) return;
  chosen = (chosen + by + buttons.length) % buttons.length;
  buttons.forEach((button, at) => button.classList.toggle("chosen", at === chosen));
  buttons[chosen].focus();
}
function setSide(side) { link.side = link.side === side ? "" : side; go(); }
async function copyLink() { try { await navigator.clipboard.writeText(location.href); say(w("copied")); } catch { say(location.href); } }
function save() { location.assign(`/api/save?${query()}`); }
function otherLanguage() {
  language = language === "en" ? "zh" : "en";
  localStorage.setItem("language", language);
  if (lesson) openLesson(lesson.number, behind()); else go(false);
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog").open || !shown) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) { if (event.key === "Escape") event.target.blur(); return; }
  if (event.key === "Enter" && event.target.tagName === "BUTTON") return;
  const does = keys[event.key];
  if (does) { event.preventDefault(); does(); }
});
$("undo").onclick = undo;
$("redo").onclick = redo;
$("previous").onclick = () => step(shown.at - 1);
$("next").onclick = () => step(shown.at + 1);
$("lessons").onclick = lessonsPage;
$("museum").onclick = museumPage;
$("save").onclick = save;
$("copy").onclick = copyLink;
$("language").onclick = otherLanguage;
$("help").onclick = keys["?"];
$("close").onclick = () => $("dialog").close();
$("find").oninput = drawActs;
$("scope").onchange = () => begin({ scope: $("scope").value.trim(), without: link.without, do: [] });
$("without").onchange = () => { link.without = $("without").value; if (lesson) leaveLesson(); go(); };
$("side").onchange = () => { link.side = $("side").value; go(); };
$("scrub").oninput = () => step(Number($("scrub").value));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", async (event) => { event.preventDefault(); const file = event.dataTransfer.files[0]; if (file) openText(await file.text()); });
window.addEventListener("popstate", () => start(false));
window.addEventListener("hashchange", () => { if (decodeURIComponent(location.hash) !== decodeURIComponent(fragment())) start(false); });

async function start(push = true) {
  try {
    list ??= await ask("/api/list");
    $("scopes").replaceChildren(...list.scopes.map((scope) => new Option(scope.question, scope.name)));
    const fields = readFragment();
    if (fields.exhibit) return await openExhibit(fields.exhibit);
    if (link.lesson) return await openLesson(link.lesson, link.at ?? 0);
    if (lesson) leaveLesson();
    if (!link.scope) { const first = await ask("/api/first"); Object.assign(link, { scope: first.scope, without: first.without, do: first.do, at: null }); }
    await go(push);
  } catch (error) { say(error.message); }
}
start();
