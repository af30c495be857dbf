"use strict";
// Ways in: lessons, the museum, by symptom; and the shortest way from here to a violation.
function openDialog(...children) { $("page").replaceChildren(...children); if (!$("dialog").open) $("dialog").showModal(); }
function line(words, does, title = "") {
  const button = el("button", "line", words);
  button.title = title;
  button.onclick = does;
  return button;
}
function lessonsPage() { openDialog(el("h2", "", w("lessons")), ...list.lessons.map((one) => line(`${one.number}. ${one[language]}`, () => openLesson(one.number)))); }
function museumPage() { openDialog(el("h2", "", w("museum")), ...list.exhibits.map((one) => line(one.name, () => openExhibit(one.name), `${one.guard} · ${one.scope}`))); }
async function openExhibit(name) {
  try {
    const opened = await ask(`/api/exhibit?name=${encodeURIComponent(name)}`);
    $("dialog").close();
    begin(opened);
  } catch (error) { say(error.message); document.body.dataset.ready = "error"; }
}
function begin(opened, at = null) { if (lesson) leaveLesson(); Object.assign(link, { scope: opened.scope, without: opened.without, do: opened.do, at, side: "", other: "", through: opened.do.length > 0 }); return go(); }
async function openText(text) { try { await begin(await ask("/api/open", { method: "POST", body: text })); } catch (error) { say(error.message); } }

function doorsPage() {
  const box = el("input"), found = el("div");
  box.id = "seen";
  box.placeholder = w("seen");
  box.setAttribute("aria-label", w("seen"));
  box.oninput = () => drawDoors(box.value, found);
  found.id = "found";
  openDialog(el("h2", "", w("doors")), box, found);
  box.focus();
}
let doorsAsked = 0;
async function drawDoors(words, into) {
  const mine = ++doorsAsked;
  if (!words.trim()) return into.replaceChildren();
  try {
    const doors = await ask(`/api/symptom?words=${encodeURIComponent(words)}`);
    if (mine !== doorsAsked) return;
    const scope = (name) => line(name, () => { $("dialog").close(); begin({ scope: name, without: "", do: [] }); });
    into.replaceChildren(...doors.means.flatMap(([means, name]) => [el("p", "", prose(means)), scope(name)]));
    for (const door of doors.guards) {
      const drop = () => { $("dialog").close(); link.without = door.guard; if (lesson) leaveLesson(); go(); };
      into.append(el("h3", "", door.guard), el("p", "also", prose(door.incident)),
        ...door.exhibits.map((name) => line(`${w("museum")}: ${name}`, () => openExhibit(name))),
        ...door.lessons.map((number) => line(`${w("lesson")} ${number}`, () => openLesson(number))),
        line(`− ${door.guard}: ${w("without_it")}`, drop));
    }
    into.append(...doors.scopes.map(scope));
    if (!into.children.length) into.append(el("p", "", w("nodoors")));
    into.dataset.words = words;
  } catch (error) { if (mine === doorsAsked) into.replaceChildren(el("p", "bad", error.message)); }
}

async function nearest() {
  const mine = mark;
  say(w("searching"));
  try {
    const found = await ask(`/api/nearest?${query()}`);
    if (mine !== mark) return;
    if (!found.way.length) return say(w(found.all ? "notfound" : "bounded", { s: found.states }));
    const at = shown.at;
    if (lesson) leaveLesson();
    Object.assign(link, { do: [...link.do.slice(0, at), ...found.way], at });
    await go();
    say(w("found", { n: found.way.length, p: found.property, s: found.states }));
  } catch (error) { if (mine === mark) say(error.message); }
}
