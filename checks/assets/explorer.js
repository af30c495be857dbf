"use strict";
// The link is the state: scope, guards that are off, actions by name, and behind how many of them.
const $ = (id) => document.getElementById(id);
const link = { scope: "", without: "", do: [], at: null, side: "", other: "", lesson: 0, through: false };
let shown = null, list = null, chosen = -1, mark = 0;
const tried = [], undone = [];

function fragment() {
  const parts = [];
  if (link.lesson) parts.push(`lesson=${link.lesson}`);
  if (link.scope) parts.push(`scope=${link.scope}`);
  if (link.without) parts.push(`without=${link.without}`);
  if (link.side) parts.push(`side=${link.side}`);
  if (link.other) parts.push(`other=${link.other}`);
  if (link.at !== null && link.at < link.do.length) parts.push(`at=${link.at}`);
  if (link.do.length) parts.push(`do=${link.do.join(";")}`);
  if (link.through) parts.push("through");
  return `#${parts.join("&")}`;
}
function readFragment() {
  let text = location.hash.slice(1);
  try { text = decodeURIComponent(text); } catch { /* It is read as it stands. */ }
  const fields = Object.fromEntries(text.split("&").filter(Boolean).map((part) => {
    const at = part.indexOf("=");
    return at < 0 ? [part, ""] : [part.slice(0, at), part.slice(at + 1)];
  }));
  for (const name of ["scope", "without", "side", "other"]) link[name] = fields[name] ?? "";
  link.do = (fields.do ?? "").split(";").filter(Boolean);
  link.at = fields.at === undefined || !/^\d+$/.test(fields.at) ? null : Number(fields.at);
  link.through = fields.through !== undefined;
  link.lesson = /^\d+$/.test(fields.lesson ?? "") ? Number(fields.lesson) : 0;
  return fields;
}
function query(more = {}) {
  const fields = { scope: link.scope, without: link.without, do: link.do.join(";"), lang: language, ...more };
  // In a lesson, a file and an exhibit a refused step is a step: that it is refused is the point.
  if (lesson || link.through) fields.through = "1";
  if (link.at !== null) fields.at = Math.min(link.at, link.do.length);
  return new URLSearchParams(fields).toString();
}
async function ask(path, options) {
  let response, answer;
  try {
    response = await fetch(path, options);
    answer = await response.json();
  } catch { throw new Error(w("ended")); }
  if (answer.error) throw new Error(answer.error);
  return answer;
}
function say(text) { $("error").textContent = text; $("error").hidden = !text; }
// Behind how many actions the page is; never behind one that was refused and ended the link.
function behind() {
  const at = link.at === null ? link.do.length : Math.min(link.at, link.do.length);
  return shown?.stopped ? Math.min(at, shown.steps.length) : at;
}

// Every change of the link goes through here; an answer that came too late is dropped.
async function go(push = true) {
  const mine = ++mark, begun = performance.now();
  if (push && fragment() !== location.hash) history.pushState(null, "", fragment());
  try {
    const answer = await ask(`/api/state?${query()}`);
    if (mine !== mark) return;
    const asked = performance.now();
    shown = answer;
    say(shown.stopped ? `${w("stopped", { n: shown.stopped.step })}: ${shown.stopped.words} — ${shown.stopped.because} ${w("before")}` : "");
    remember();
    draw();
    document.body.dataset.took = `${(asked - begun).toFixed(1)} asked, ${(performance.now() - asked).toFixed(1)} drawn`;
    document.body.dataset.drawn = String(mine);
    document.body.dataset.ready = `${shown.at}/${shown.steps.length}`;
    beside(mine);
    healing(mine);
    drawRefusals(mine);
  } catch (error) {
    if (mine === mark) { say(error.message); document.body.dataset.ready = "error"; }
  }
}
// The branches that were tried, each with what it violates where.
function remember() {
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
  undone.length = 0;
  link.do = [...link.do.slice(0, behind()), name];
  link.at = null;
  if (lesson) leaveLesson();
  go();
}
function step(to) { link.at = Math.max(0, Math.min(to, lesson || !shown ? link.do.length : shown.steps.length)); if (lesson) drawLesson(); go(); }
function undo() {
  if (!link.do.length) return;
  // With a refused action goes all that stands behind it.
  const keep = shown?.stopped ? shown.steps.length : link.do.length - 1;
  undone.push(...link.do.slice(keep).reverse());
  link.do = link.do.slice(0, keep);
  link.at = null;
  go();
}
function redo() { if (!undone.length) return; link.do = [...link.do, undone.pop()]; link.at = null; go(); }

// Every violating place of the tree: those below here first, then the others.
function violation(direction) {
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
  if (!to) return say(w("noviolation"));
  if (!link.do.join(";").startsWith(to.key) || !own(to)) Object.assign(link, { do: [...to.do], without: to.without });
  if (lesson) leaveLesson();
  step(to.at);
}
function nextBranch() {
  const own = tried.filter((other) => other.scope === link.scope);
  if (own.length < 2) return;
  const at = own.findIndex((other) => other.without === link.without && `${other.key};`.startsWith(`${link.do.join(";")};`));
  openBranch(own[(at + 1) % own.length]);
}
function openBranch(other, at = null) { if (lesson) leaveLesson(); Object.assign(link, { do: [...other.do], without: other.without, at }); go(); }

function draw() {
  drawWords();
  if ($("scope") !== document.activeElement) $("scope").value = link.scope;
  fillSelects();
  $("where").textContent = whereText(shown.at, shown.steps.length);
  drawVerdicts($("verdicts"), $("broken"), shown.broken, shown.judged);
  drawStory($("story"), shown.steps, shown.at, shown.question);
  drawActs();
  drawLanes($("lanes"), shown.view, shown.before, link.side ? (link.without ? `− ${link.without}` : w("none")) : "");
  drawQuorum($("quorum"), shown.view);
  drawKeys($("keys"), shown.view);
  drawDriver($("pd"), shown.view, (region) => reportRefused(shown.steps, shown.at, region));
  drawHeld($("held"), shown.held);
  $("scrub").max = shown.steps.length;
  $("scrub").value = shown.at;
  drawTree();
}
// What stands on the page in any state is written where the language changes.
let written = "";
function drawWords() {
  if (written === language) return;
  written = language;
  document.documentElement.lang = language;
  document.querySelectorAll("[data-w]").forEach((node) => { node.textContent = w(node.dataset.w); });
  $("language").textContent = language === "en" ? "中文" : "English";
  $("find").placeholder = w("find");
  $("side").replaceChildren(new Option(w("one"), ""), new Option(w("every"), "model"), new Option(w("impl"), "impl"));
  for (const id of ["without", "other"]) $(id).replaceChildren(new Option(w("none"), ""), ...(list?.guards ?? []).map((guard) => new Option(guard.name, guard.name)));
}
function fillSelects() {
  for (const id of ["without", "other"]) {
    const select = $(id);
    if (![...select.options].some((option) => option.value === link[id])) select.append(new Option(link[id], link[id]));
    select.value = link[id];
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
  let group = null;
  may.forEach((act, at) => {
    const key = `${act.region ? `region ${act.region}` : ""} ${act.store ? `store ${act.store}` : "PD"}`.trim();
    if (key !== group) { group = key; box.append(el("h3", "", key)); }
    const button = el("button", `act${at === chosen ? " chosen" : ""}`, act.words.replace(/ region \d+[:：] ?/, " "));
    button.dataset.name = act.name;
    const effect = () => $("effect").replaceChildren(el("h3", "", w("effect")), el("ul", "", act.changes.map((change) => el("li", "", change))));
    button.onmouseenter = effect;
    button.onfocus = effect;
    button.onclick = () => take(act.name);
    box.append(button);
  });
  if (!shown.may.length) box.append(el("p", "", w("nothing")));
}
// Hundreds of them in any state: they are asked for while somebody looks.
async function drawRefusals(mine = mark) {
  const lines = $("maynot");
  if (!$("refusals").open) { lines.replaceChildren(); delete document.body.dataset.refused; return; }
  try {
    const refused = await ask(`/api/refused?${query()}`);
    if (mine !== mark) return;
    const word = $("find").value.toLowerCase(), fits = (act) => (act.words + act.name).toLowerCase().includes(word);
    const not = refused.filter(fits).sort((a, b) => (a.reason < b.reason ? -1 : a.reason > b.reason ? 1 : 0));
    const drawn = document.createDocumentFragment();
    let reason = null;
    for (const act of not) {
      if (act.reason !== reason) { reason = act.reason; drawn.append(el("h3", "", `${act.reason}: `, el("span", "", act.meaning))); }
      const line = el("button", "not", act.words.replace(/ region (\d+)[:：]/, " r$1:"));
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
// The second column. Where the two part both stop, so that all that is shown is of one step.
async function beside(mine) {
  $("others").hidden = !link.side;
  $("parted").hidden = !link.side;
  document.body.dataset.beside = "";
  if (!link.side) return;
  try {
    const other = await ask(`/api/beside?${query({ side: link.side, other: link.other })}`);
    if (mine !== mark) return;
    const parts = other.parted;
    if (parts && parts.step < shown.at) {
      link.at = parts.step;
      history.replaceState(null, "", fragment());
      return go(false);
    }
    const differs = new Set((parts?.differences ?? []).map((one) => one.path.match(/^stores\/(\d+)\/\w+\/(\d+)/)).filter(Boolean).map((path) => `${path[1]}/${path[2]}`));
    drawLanes($("lanes"), shown.view, shown.before, link.without ? `− ${link.without}` : w("none"), differs);
    drawLanes($("others"), other.view, shown.view, other.name === "every guard on" ? w("none") : other.name, differs);
    const box = $("parted");
    if (parts) {
      box.replaceChildren(el("b", "", `${w("parted", { n: parts.step })}: ${parts.words}. ${w("partedstop")}`),
        el("p", "", `${w("here")}: ${parts.here} · ${w("there")}: ${parts.there}`),
        el("ul", "", parts.differences.slice(0, 20).map((one) => el("li", "", `${one.path}: ${JSON.stringify(one.expected)} | ${JSON.stringify(one.actual)}`))));
    } else box.replaceChildren(w("same", { n: other.compared }));
    box.className = parts ? "bad" : "good";
    document.body.dataset.beside = parts ? `parted ${parts.step}` : "same";
  } catch (error) { if (mine === mark) say(error.message); }
}
async function healing(mine) {
  const box = $("heals");
  document.body.dataset.heals = "";
  box.replaceChildren(el("div", "row", w("healing")));
  try {
    const healed = await ask(`/api/heals?${query()}`);
    if (mine !== mark) return;
    box.replaceChildren();
    if (healed.heals) {
      const play = el("button", "", w("play"));
      play.id = "play";
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
// The way is a row of dots; branches that were tried hang below it, where they left it.
function drawTree() {
  const tree = $("tree"), row = el("div", "path");
  for (let at = 0; at <= shown.steps.length; at++) row.append(dot(shown.steps, at, at === shown.at, step));
  tree.replaceChildren(row);
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
