"use strict";
// Ways in: lessons, the museum, by symptom; and the shortest way from here to a violation.
function openDialog(...children) { $("page").replaceChildren(...children); if (!$("dialog").open) $("dialog").showModal(); }
function line(words, does, title = "") {
  const button = el("button", "line", ...[words].flat());
  button.title = title;
  button.onclick = does;
  return button;
}
function lessonsPage() { openDialog(el("h2", "", w("lessons")), ...list.lessons.map((one) => line(`${one.number}. ${one[language]}`, () => openLesson(one.number)))); }
// An exhibit goes by what goes wrong in it.
const exhibitNamed = (name) => list.exhibits.find((one) => one.name === name);
// One guard may have several, which break different things.
function exhibitWords(name) {
  const one = exhibitNamed(name);
  return `${w("museum")}: ${one?.[language] ?? name} · ${[one?.breaks, one?.scope].filter(Boolean).join(" · ")}`;
}
function exhibitLine(one) {
  // What happens without the rule is the title.
  const [rule] = (list.guards.find((guard) => guard.name === one.guard)?.[language] ?? "").split(/ Otherwise |否则/);
  return line([el("b", "", one[language]), el("div", "also", rule), el("span", "also", `− ${one.guard} · ${one.breaks ? `${w("breaks")} ${one.breaks}` : w("costs")} · ${one.scope}`)], () => openExhibit(one.name), one.name);
}
// The exhibits under what they break; in each group by what goes wrong.
function museumPage() {
  const groups = new Map();
  for (const one of list.exhibits) groups.set(one.breaks ?? "", [...groups.get(one.breaks ?? "") ?? [], one]);
  const says = (name) => [...list.properties, ...list.goals].find((property) => property.name === name)?.[language];
  const heading = (name) => el("h3", "", name || w("costs"), says(name) ? el("span", "also", ` ${says(name)}`) : null);
  openDialog(el("h2", "", w("museum")), el("p", "", w("exhibits", { n: list.exhibits.length })),
    ...[...groups.keys()].sort((a, b) => (a || "~") < (b || "~") ? -1 : 1).flatMap((name) =>
      [heading(name), ...groups.get(name).sort((a, b) => a[language].localeCompare(b[language], language)).map(exhibitLine)]));
}
// `own` is what a link asks for beside it.
async function openExhibit(name, own = {}, also = "") {
  try {
    const opened = await ask(`/api/exhibit?name=${encodeURIComponent(name)}&lang=${language}`);
    $("dialog").close();
    await begin(opened, own, also);
  } catch (error) { await fallBack(error.message); }
}
function begin(opened, own = {}, also = "") {
  if (lesson) leaveLesson();
  leaveExercise();
  Object.assign(link, { scope: opened.scope, without: opened.without, do: opened.do, at: null, side: "", other: "", through: opened.do.length > 0 }, own);
  return go(true, also || (opened.says ?? []).join(" "));
}
async function openText(text) {
  if (new Blob([text]).size > list.largest) return say(w("toolarge"));
  if (exercise) return openAnswer(text);
  try { await begin(await ask(`/api/open?lang=${language}`, { method: "POST", body: text })); } catch (error) { say(error.message); }
}

function doorsPage() {
  const box = el("input"), found = el("div");
  box.id = "seen";
  box.placeholder = w("seen");
  box.setAttribute("aria-label", w("seen"));
  box.oninput = () => drawDoors(box.value, found);
  found.id = "found";
  drawAll(found);
  openDialog(el("h2", "", w("doors")), box, found);
  box.focus();
}
// Who knows no name yet leafs through all of them.
function drawAll(into) {
  const group = (name, lines) => el("details", "", el("summary", "", `${name} (${lines.length})`), lines);
  const scope = (one) => line([el("b", "", one.name), el("div", "also", one[language] ?? one.en)], () => { $("dialog").close(); begin({ scope: one.name, without: "", do: [] }); }, one.name);
  const guard = (one) => line([el("b", "", one.name), el("div", "also", one[language])], () => { $("seen").value = one.name; drawDoors(one.name, into); }, one.name);
  into.dataset.words = "";
  into.replaceChildren(group(w("lessons"), list.lessons.map((one) => line(`${one.number}. ${one[language]}`, () => openLesson(one.number)))),
    group(w("scopes"), list.scopes.map(scope)), group(w("guards"), list.guards.map(guard)), group(w("museum"), list.exhibits.map(exhibitLine)));
}
let doorsAsked = 0;
async function drawDoors(words, into) {
  const mine = ++doorsAsked;
  if (!words.trim()) return drawAll(into);
  try {
    const doors = await ask(`/api/symptom?words=${encodeURIComponent(words)}&lang=${language}`);
    if (mine !== doorsAsked) return;
    // Each scope, exhibit and lesson is offered once.
    const offered = new Set(), once = (kind, name, made) => {
      const is = offered.has(`${kind} ${name}`);
      offered.add(`${kind} ${name}`);
      return is ? [] : [made()];
    };
    const scope = (name) => once("scope", name, () => line(name, () => { $("dialog").close(); begin({ scope: name, without: "", do: [] }); }));
    into.replaceChildren(...doors.means.flatMap(([means, name]) => [el("p", "", prose(means)), ...scope(name)]));
    for (const door of doors.guards) {
      const drop = () => { $("dialog").close(); leaveSteps(); link.without = door.guard; leaveExercise(); go(); };
      into.append(el("h3", "", door.guard), el("p", "also", prose(door.incident)),
        ...door.exhibits.flatMap((name) => once("exhibit", name, () => line(exhibitWords(name), () => openExhibit(name), name))),
        ...door.lessons.flatMap((number) => once("lesson", number, () => line(w("lessonnumber", { n: number }), () => openLesson(number)))),
        line(`− ${door.guard}: ${w("without_it")}`, drop));
    }
    into.append(...doors.scopes.flatMap(scope));
    if (!into.children.length) into.append(el("p", "", w("nodoors")));
    into.dataset.words = words;
  } catch (error) { if (mine === doorsAsked) into.replaceChildren(el("p", "bad", error.message)); }
}

async function nearest() {
  const mine = mark;
  if (waitsForGuess()) return note(w("guessfirst", { n: behind() + 1 }));
  // The way would be the answer.
  if (exercise) return note(w("ownway"));
  note(w("searching"));
  try {
    const found = await ask(`/api/nearest?${query({ property: $("sought").value })}`);
    if (mine !== mark) return;
    if (!found.way.length) return note(`${w(found.all ? "notfound" : "bounded", { s: found.states })}${link.without ? "" : ` ${w("allon")}`}`);
    const at = shown.at;
    Object.assign(link, { do: [...link.do.slice(0, at), ...found.way], at, branch: "" });
    await go();
    note(w("found", { n: found.way.length, p: found.property, s: found.states }));
  } catch (error) { if (mine === mark) say(error.message); }
}
