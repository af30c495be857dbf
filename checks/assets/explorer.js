"use strict";
// The link is the state: scope, guards that are off, actions by name, and behind how many of them.
const $ = (id) => document.getElementById(id);
const link = { scope: "", without: "", do: [], at: null, side: "", other: "", lesson: 0, branch: "", exercise: 0, through: false };
let shown = null, list = null, first = null, chosen = -1, mark = 0, asking = null;
// The link that is shown, to which the page returns from a wrong one.
let good = null;
const tried = [], undone = [];

function fragment() {
  const parts = [];
  // The end goes without saying; of a lesson its beginning does.
  const at = onLesson() ? link.at || null : link.at !== null && link.at < link.do.length ? link.at : null;
  // A lesson and its branches have their own steps, and do not give them away. Who leaves
  // them takes the lesson along, with the steps that he chose.
  const own = lesson !== null && (onLesson() || link.branch !== ""), aside = lesson !== null && !own;
  if (link.lesson) parts.push(`lesson=${link.lesson}`);
  if (link.branch) parts.push(`branch=${link.branch}`);
  if (link.exercise) parts.push(`exercise=${link.exercise}`);
  if (link.scope && !link.exercise && !own && !(aside && link.scope === lesson.scope)) parts.push(`scope=${link.scope}`);
  if (aside ? link.without !== lesson.without : link.without && !link.exercise && !own) parts.push(`without=${link.without}`);
  if (link.side) parts.push(`side=${link.side}`);
  if (link.other) parts.push(`other=${link.other}`);
  if (at !== null) parts.push(`at=${at}`);
  if ((link.do.length || aside) && !own) parts.push(`do=${link.do.join(";")}`);
  if (link.through && !link.exercise && !lesson) parts.push("through");
  return `#${parts.join("&")}`;
}
const FIELDS = ["scope", "without", "side", "other", "do", "at", "through", "lesson", "branch", "exercise", "exhibit", "lang"];
// Reads the address; what is wrong with it is said in a sentence.
function readFragment() {
  let text = location.hash.slice(1), wrong = "";
  try { text = decodeURIComponent(text); } catch { /* It is read as it stands. */ }
  const fields = Object.fromEntries(text.split("&").filter(Boolean).map((part) => {
    const at = part.indexOf("=");
    return at < 0 ? [part, ""] : [part.slice(0, at), part.slice(at + 1)];
  }));
  const odd = Object.keys(fields).find((name) => !FIELDS.includes(name));
  if (odd !== undefined) wrong = w("wrongfield", { f: odd, v: fields[odd] });
  if (fields.branch !== undefined && fields.lesson === undefined) wrong = w("wrongfield", { f: "branch", v: fields.branch });
  for (const name of ["scope", "without", "side", "other"]) link[name] = fields[name] ?? "";
  if (fields.lang === "zh" || fields.lang === "en") language = fields.lang;
  else if (fields.lang !== undefined) wrong = w("wrongfield", { f: "lang", v: fields.lang });
  delete fields.lang;
  const spoken = /^(\d+)\.(zh|en)$/.exec(fields.lesson ?? "");
  if (spoken) { fields.lesson = spoken[1]; language = spoken[2]; }
  for (const name of ["at", "lesson", "exercise"]) {
    if (fields[name] === undefined || /^\d+$/.test(fields[name])) continue;
    wrong = w("wrongnumber", { f: name, v: fields[name] });
    delete fields[name];
  }
  link.do = (fields.do ?? "").split(";").filter(Boolean);
  link.at = fields.at === undefined ? null : Number(fields.at);
  link.through = fields.through !== undefined;
  link.lesson = Number(fields.lesson ?? 0);
  link.exercise = Number(fields.exercise ?? 0);
  link.branch = "";
  return { fields, wrong };
}
function query(more = {}) {
  const fields = { scope: link.scope, without: link.without, do: link.do.join(";"), lang: language, ...more };
  // In a lesson, a file and an exhibit a refused step is a step: that it is refused is the point.
  if (lesson || link.through || link.exercise) fields.through = "1";
  if (link.at !== null) fields.at = Math.min(link.at, link.do.length);
  return new URLSearchParams(fields).toString();
}
// A file that the server would not take is not sent to it (`openText`).
async function reach(path, options) {
  try { return await fetch(path, options); } catch { throw new Error(endedText()); }
}
async function ask(path, options) {
  const response = await reach(path, options);
  let answer;
  try { answer = await response.json(); } catch { throw new Error(endedText()); }
  if (answer.error) throw Object.assign(new Error(answer.error), { told: true });
  return answer;
}
const endedText = () => w("ended", { c: first?.command ?? "rollcall explore" });
// What is no error is not told like one. A link may quote thousands of letters.
const cut = (text) => text.replace(/[^\s`]{121,}/g, (word) => `${word.slice(0, 80)}…`);
function say(text, notice = false) {
  $("error").textContent = notice ? text : cut(text);
  $("error").hidden = !text;
  $("error").className = notice ? "notice" : "";
  $("error").setAttribute("role", notice ? "status" : "alert");
}
const note = (text) => say(text, true);
// Behind how many actions the page is; never behind one that was refused and ended the link.
function behind() {
  const at = link.at === null ? link.do.length : Math.min(link.at, link.do.length);
  return shown?.stopped ? Math.min(at, shown.steps.length) : at;
}

// The state behind the action that the reader points at is asked for before he takes it.
let ahead = null;
function askAhead(name) {
  if (waitsForGuess()) return;
  const fields = new URLSearchParams(query({ do: [...link.do.slice(0, behind()), name].join(";") }));
  fields.delete("at");
  const words = fields.toString();
  if (ahead?.words === words) return;
  ahead = { words, answer: ask(`/api/state?${words}`) };
  // What went wrong is told to who takes it.
  ahead.answer.catch(() => {});
}

// Every change of the link goes through here; an answer that came too late is dropped, and
// what nobody waits for any more is not asked to its end.
async function go(push = true, also = "") {
  const mine = ++mark, begun = performance.now();
  const words = query(), known = ahead?.words === words ? ahead.answer : null;
  ahead = null;
  asking?.abort();
  clearTimeout(staying);
  asking = new AbortController();
  if (push && fragment() !== location.hash) history.pushState(null, "", fragment());
  try {
    const answer = await (known ?? ask(`/api/state?${words}`, { signal: asking.signal }));
    if (mine !== mark) return;
    const asked = performance.now(), beyond = link.at !== null && link.at > link.do.length;
    shown = answer;
    for (const [step, words] of shown.notes.steps) shown.steps[step - 1].note = words;
    // The actions themselves, no copy: by them a lesson knows its own steps.
    good = { link: { ...link }, lesson, exercise, answered, seen };
    say(shown.stopped ? stoppedText(shown.stopped)
      : beyond ? w("wrongat", { n: link.at, of: link.do.length }) : also);
    if (beyond) { link.at = link.do.length; history.replaceState(null, "", fragment()); }
    remember();
    draw();
    document.body.dataset.took = `${(asked - begun).toFixed(1)} asked, ${(performance.now() - asked).toFixed(1)} drawn`;
    document.body.dataset.drawn = String(mine);
    document.body.dataset.ready = `${shown.at}/${shown.steps.length}`;
    goOn(mine);
  } catch (error) { if (mine === mark) await fallBack(error.message); }
}
// What is asked for once the state is drawn.
function goOn(mine) {
  beside(mine);
  healing(mine);
  drawRefusals(mine);
  judge(mine);
}
const stoppedText = (stopped) => stopped.unread ? w("unread", { n: stopped.step, a: stopped.words, b: stopped.because })
  : `${w("stopped", { n: stopped.step })}${w("colon")}${stopped.words} — ${stopped.because} ${w("before")}`;
let fallen = false;
// A wrong link is answered with what is wrong, over something that can be looked at.
async function fallBack(message) {
  if (good) {
    // The page stays where it was, and so does its link.
    Object.assign(link, good.link);
    ({ lesson, exercise, answered, seen } = good);
    history.replaceState(null, "", fragment());
    $("lesson").hidden = !(lesson || exercise);
    $("scope").value = link.scope;
    draw();
    goOn(mark);
  } else if (first && !fallen) {
    fallen = true;
    Object.assign(link, { ...first, at: null, side: "", other: "", lesson: 0, branch: "", exercise: 0, through: first.do.length > 0 });
    history.replaceState(null, "", fragment());
    return go(false, message);
  }
  say(message);
  document.body.dataset.ready = "error";
}
// The branches that were tried, each with what it violates where.
function remember() {
  if (onLesson() || link.branch) return;
  const key = link.do.join(";"), bad = shown.steps.map((taken) => taken.violated.length > 0);
  const own = (other) => other.scope === link.scope && other.without === link.without;
  const longer = tried.find((other) => own(other) && `${other.key};`.startsWith(`${key};`));
  if (longer) { bad.forEach((is, at) => { longer.bad[at] = is; }); return; }
  if (!key) return;
  for (let at = tried.length - 1; at >= 0; at--) if (own(tried[at]) && `${key};`.startsWith(`${tried[at].key};`)) tried.splice(at, 1);
  tried.unshift({ scope: link.scope, without: link.without, do: [...link.do], key, bad });
  tried.length = Math.min(tried.length, 12);
}
function take(name) {
  // Who takes an action has found it.
  $("find").value = "";
  // The lesson's own next step waits for the guess, whoever takes it.
  if (onLesson() && lesson.do[behind()] === name) return step(behind() + 1);
  undone.length = 0;
  Object.assign(link, { do: [...link.do.slice(0, behind()), name], at: null, branch: "" });
  go();
}
function step(to) {
  const end = lesson || !shown ? link.do.length : shown.steps.length, most = onLesson() ? Math.min(end, guessed()) : end;
  const asks = to > most && most < end;
  if (onLesson()) undone.length = 0;
  link.at = Math.max(0, Math.min(to, most));
  return go(true).then(() => { if (asks) note(w("guessfirst", { n: most + 1 })); });
}
function undo() {
  // In a lesson nothing was chosen that could be undone.
  if (onLesson() || link.branch) return step(behind() - 1);
  if (!link.do.length) return;
  // With a refused action goes all that stands behind it.
  const keep = shown?.stopped ? shown.steps.length : link.do.length - 1;
  undone.push(...link.do.slice(keep).reverse());
  Object.assign(link, { do: link.do.slice(0, keep), at: null });
  if (lesson && follows(link.do.length)) return backToLesson(link.do.length);
  const branch = lesson && branchHere();
  if (branch) openGuess(branch);
  go();
}
function redo() {
  if (!undone.length) return onLesson() || link.branch ? step(behind() + 1) : undefined;
  Object.assign(link, { do: [...link.do.slice(0, onLesson() ? behind() : link.do.length), undone.pop()], at: null, branch: "" });
  go();
}

// What the reader stands on is not to be denied.
const hereIsBad = () => shown.broken.length > 0 || document.body.dataset.heals === "stuck";
// Every violating place of the tree: those below here first, then the others.
function violation(direction) {
  if (onLesson() || link.branch) return lessonViolation(direction);
  const here = link.do.slice(0, shown.at).join(";"), places = new Map();
  for (const other of tried) {
    if (other.scope !== link.scope) continue;
    other.bad.forEach((is, at) => {
      const key = other.do.slice(0, at + 1).join(";");
      if (is && !(key === here && other.without === link.without)) places.set(`${other.without} ${key}`, { ...other, key, at: at + 1 });
    });
  }
  const all = [...places.values()], own = (place) => place.without === link.without;
  const ahead = all.filter((place) => own(place) && (!here || `${place.key};`.startsWith(`${here};`))).sort((a, b) => a.at - b.at);
  const back = all.filter((place) => own(place) && `${here};`.startsWith(`${place.key};`)).sort((a, b) => b.at - a.at);
  const others = all.filter((place) => !ahead.includes(place) && !back.includes(place));
  const to = direction > 0 ? ahead[0] ?? others[0] : back[0] ?? others.at(-1);
  if (!to) return note(w(places.size || hereIsBad() ? "nomore" : "noviolation"));
  if (!link.do.join(";").startsWith(to.key) || !own(to)) Object.assign(link, { do: [...to.do], without: to.without });
  step(to.at);
}
function nextBranch() {
  const own = tried.filter((other) => other.scope === link.scope);
  if (own.length < 2) return;
  const at = own.findIndex((other) => other.without === link.without && `${other.key};`.startsWith(`${link.do.join(";")};`));
  openBranch(own[(at + 1) % own.length]);
}
function openBranch(other, at = null) { Object.assign(link, { do: [...other.do], without: other.without, at, branch: "" }); go(); }

function draw() {
  drawWords();
  if ($("scope") !== document.activeElement) $("scope").value = link.scope;
  fillSelects();
  const known = onLesson() ? Math.min(shown.steps.length, guessed()) : shown.steps.length;
  if (lesson) drawLesson();
  $("where").textContent = whereText(shown.at, shown.steps.length);
  $("question").textContent = shown.question;
  $("question").title = shown.question;
  $("scope").title = link.scope;
  const waits = waitsForGuess();
  document.body.dataset.asks = waits ? "guess" : "";
  if (waits) drawUntold();
  else drawVerdicts($("verdicts"), $("broken"), shown.broken, list.properties, "");
  drawStory($("story"), shown.steps, shown.at, shown.question, shown.notes.about);
  drawActs();
  drawLanes($("lanes"), shown.view, shown.before, link.side ? columnName("model", list_of(link.without)) : "");
  if (!waits) drawQuorum($("quorum"), shown.view);
  drawKeys($("keys"), shown.view, shown.covered);
  drawDriver($("pd"), shown.view, (region) => reportRefused(shown.steps, shown.at, region));
  drawHeld($("held"), shown.held, (at) => {
    const name = `late(slot:${at})`;
    return shown.may.some((act) => act.name === name) ? () => take(name) : null;
  });
  $("scrub").max = known;
  $("scrub").value = shown.at;
  drawTree(known);
}
const list_of = (names) => names.split(",").filter(Boolean);
// What stands on the page in any state is written where the language changes.
let written = "";
function drawWords() {
  if (written === language) return;
  written = language;
  document.documentElement.lang = language;
  document.querySelectorAll("[data-w]").forEach((node) => { node.textContent = w(node.dataset.w); });
  $("language").textContent = language === "en" ? "中文" : "EN";
  drawLegend($("marks"));
  $("scopes").replaceChildren(...(list?.scopes ?? []).map((scope) => new Option(scope[language] ?? scope.en, scope.name)));
  $("find").placeholder = w("find");
  $("side").replaceChildren(new Option(w("one"), ""), new Option(w("every"), "model"), new Option(w("impl"), "impl"), new Option(w("soundimpl"), "sound"));
  const sought = $("sought").value;
  $("sought").replaceChildren(new Option(w("any"), ""), ...[...(list?.properties ?? []), ...(list?.goals ?? [])].map((one) => { const option = new Option(one.name, one.name); option.title = one[language]; return option; }));
  $("sought").value = sought;
  for (const id of ["without", "other"]) $(id).replaceChildren(new Option(w("none"), ""), ...(list?.guards ?? []).map((guard) => { const option = new Option(guard.name, guard.name); option.title = guard[language]; return option; }));
}
function fillSelects() {
  for (const id of ["without", "other"]) {
    const select = $(id);
    if (![...select.options].some((option) => option.value === link[id])) select.append(new Option(link[id], link[id]));
    select.value = link[id];
    select.title = link[id];
  }
  $("side").value = link.side;
  $("otherlabel").hidden = link.side !== "model";
}
function drawActs() {
  const word = $("find").value.toLowerCase(), fits = (act) => (act.words + act.name).toLowerCase().includes(word);
  const may = shown.may.filter(fits), box = $("may");
  chosen = Math.min(chosen, may.length - 1);
  $("effect").replaceChildren();
  box.replaceChildren();
  if (waitsForGuess()) return box.append(el("p", "untold", w("untold")));
  const groupOf = (act) => `${act.region ? `region ${act.region}` : ""} ${act.store ? `store ${act.store}` : "PD"}`.trim();
  const groups = [...new Set(may.map(groupOf))];
  may.sort((a, b) => groups.indexOf(groupOf(a)) - groups.indexOf(groupOf(b)));
  let group = null;
  may.forEach((act, at) => {
    const key = groupOf(act);
    if (key !== group) { group = key; box.append(el("h3", "", key)); }
    const button = el("button", `act${at === chosen ? " chosen" : ""}`, act.words.replace(/ region \d+[:：] ?/, " "));
    button.dataset.name = act.name;
    const effect = () => {
      askAhead(act.name);
      $("effect").replaceChildren(el("h3", "", w("effect")), el("ul", "", act.changes.map((change) => el("li", "", change))));
    };
    button.onmouseenter = effect;
    button.onfocus = effect;
    button.onclick = () => take(act.name);
    box.append(button);
  });
  if (!shown.may.length) box.append(el("p", "", w(shown.at < shown.steps.length ? "goeson" : "nothing")));
  else if (!may.length) box.append(el("p", "", w("unfit", { n: shown.may.length })));
}
// Hundreds of them in any state: they are asked for while somebody looks.
async function drawRefusals(mine = mark) {
  const lines = $("maynot");
  if (!$("refusals").open || waitsForGuess()) { lines.replaceChildren(); $("howmany").textContent = ""; delete document.body.dataset.refused; return; }
  try {
    const refused = await ask(`/api/refused?${query()}`);
    if (mine !== mark) return;
    const word = $("find").value.toLowerCase(), fits = (act) => (act.words + act.name).toLowerCase().includes(word);
    // What a guard refuses comes first: that is what can be switched off. What the rules would
    // take, and the scope does not offer, comes last.
    const kind = (act) => act.withheld ? `${act.reason} ${act.meaning}` : act.reason;
    const rank = (act) => `${act.guards.length ? 0 : act.withheld ? 2 : 1} ${kind(act)}`;
    const not = refused.filter(fits).sort((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0));
    $("howmany").textContent = ` (${word ? w("ofall", { n: not.length, of: refused.length }) : not.length})`;
    const drawn = document.createDocumentFragment();
    let reason = null;
    for (const act of not) {
      if (kind(act) !== reason) { reason = kind(act); drawn.append(el("h3", "", `${act.reason}${w("colon")}`, el("span", "", act.meaning), act.guards.length ? el("span", "decides", ` − ${act.guards.join(", ")}`) : null)); }
      const line = el("button", "not", act.words);
      line.dataset.name = act.name;
      line.onclick = () => why(act, line);
      drawn.append(line);
    }
    lines.replaceChildren(drawn);
    document.body.dataset.refused = String(not.length);
  } catch (error) { if (mine === mark) say(error.message); }
}
async function why(act, line) {
  try {
    const told = await ask(`/api/why?${query({ action: act.name })}`);
    line.nextElementSibling?.classList.contains("why") && line.nextElementSibling.remove();
    const box = el("div", "why", el("p", "", `${told.outcome}${told.meaning ? `${w("colon")}${told.meaning}` : ""}`), el("p", "", told.places.join(", ")));
    if (!told.guards.length && !told.taken) box.append(el("p", "", w("noguard")));
    if (told.taken) {
      const button = el("button", "beyond", w("beyond"));
      button.onclick = () => take(act.name);
      box.append(button);
    }
    for (const guard of told.guards) {
      const button = el("button", "", w("drop", { g: guard }));
      button.onclick = () => { link.without = link.without ? `${link.without},${guard}` : guard; leaveExercise(); take(act.name); };
      box.append(button);
    }
    // The list may have been drawn anew meanwhile.
    const here = line.isConnected ? line : [...document.querySelectorAll("#maynot .not")].find((one) => one.dataset.name === act.name);
    here?.after(box);
  } catch (error) { say(error.message); }
}
// The way is a row of dots; branches that were tried hang below it, where they left it.
function drawTree(known) {
  const tree = $("tree"), row = el("div", "path");
  for (let at = 0; at <= known; at++) row.append(dot(shown.steps, at, at === shown.at, step));
  // What is still to be guessed is not told by its dot.
  if (known < shown.steps.length) row.append(el("span", "dot ahead", "?"));
  tree.replaceChildren(row);
  inView(tree);
  if (onLesson() || link.branch) return;
  const own = `${link.do.join(";")};`;
  for (const other of tried) {
    if (other.scope !== link.scope || (own.startsWith(`${other.key};`) && other.without === link.without)) continue;
    let shared = 0;
    while (shared < other.do.length && other.do[shared] === link.do[shared]) shared++;
    if (shared === link.do.length && other.without === link.without) shared = Math.min(shared, other.do.length);
    const branch = el("div", "path branch", el("span", "gap"));
    branch.firstChild.style.width = `${(shared + 1) * 20 - 10}px`;
    branch.append("└");
    for (let at = shared; at < other.do.length; at++) {
      const one = el("button", `dot${other.bad[at] ? " bad" : ""}`, other.bad[at] ? "✘" : "●");
      one.title = `${at + 1}. ${other.do[at]}${other.without ? ` (− ${other.without})` : ""}`;
      one.setAttribute("aria-label", one.title);
      one.onclick = () => openBranch(other, at + 1);
      branch.append(one);
    }
    tree.append(branch);
  }
}
