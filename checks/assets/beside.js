"use strict";
// The second column, and what comes of the state once faults stop.
function columnName(side, without, unknown = []) {
  const name = side === "impl" ? "raft-rs" : w("model"), lacks = without.map((guard) => w("withoutguard", { g: guard })).join(", ");
  return [name, lacks || (unknown.length ? "" : w("allguards")), ...unknown.map((guard) => w("unknownguard", { g: guard }))].filter(Boolean).join(language === "zh" ? "，" : ", ");
}
// Where the two part both stop, so that all that is shown is of one step.
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
    const differs = new Set((parts?.differences ?? []).map((one) => one.peer).filter(Boolean));
    const names = [columnName("model", list_of(link.without)), columnName(other.side, other.without, other.unknown)];
    drawLanes($("lanes"), shown.view, shown.before, names[0], differs);
    drawLanes($("others"), other.view, shown.view, names[1], differs);
    const box = $("parted");
    if (parts) box.replaceChildren(el("b", "", `${w("parted", { n: parts.step })}: ${parts.words}. ${w("partedstop")}`), partedTable(parts, names));
    else box.replaceChildren(w("same", { n: other.compared }));
    box.className = parts ? "bad" : "good";
    document.body.dataset.beside = parts ? `parted ${parts.step}` : "same";
  } catch (error) { if (mine === mark) say(error.message); }
}
// Field by field: what it is, and what either column has.
function partedTable(parts, names) {
  const cells = (cell, ...of) => el("tr", "", of.map((words) => el(cell, "", words)));
  const outcome = parts.here === parts.there ? [] : [cells("td", w("outcome"), parts.here, parts.there)];
  return el("table", "", cells("th", "", ...names), ...outcome, ...parts.differences.slice(0, 40).map((one) => cells("td", one.words, one.here, one.there)));
}

// Asked once the reader stays: who steps on does not wait for it.
let staying = 0;
function healing(mine) {
  document.body.dataset.heals = "";
  if (waitsForGuess()) return;
  $("heals").replaceChildren(el("div", "row", w("healing")));
  $("health").replaceChildren(`♥ ${w("judging")}`);
  $("health").className = "";
  clearTimeout(staying);
  staying = setTimeout(() => heal(mine), 60);
}
async function heal(mine) {
  const box = $("heals"), health = $("health");
  try {
    const healed = await ask(`/api/heals?${query()}`, { signal: asking.signal });
    if (mine !== mark) return;
    box.replaceChildren();
    if (healed.heals) {
      const play = el("button", "", w("play"));
      play.id = "play";
      play.onclick = () => { link.do = [...link.do.slice(0, shown.at), ...healed.way]; link.at = shown.at + 1; link.branch = ""; go(); };
      // Where no step is left to take there is nothing to heal.
      box.append(el("div", "row good", `♥ ${healed.steps ? w("heals", { n: healed.steps }) : w("sound")} `, healed.way.length ? play : ""));
      health.replaceChildren(`♥ ${healed.steps ? w("healthy", { n: healed.steps }) : w("sound")}`);
    } else {
      box.append(el("div", "row bad", `✘ ${w("stuck")}`), ...healed.missed.map((missed) => el("div", "row", missed)),
        ...healed.refused.slice(0, 6).map(([words, reason, meaning]) => el("div", "row", `${w("refused")}: ${words}: ${reason}: ${meaning}`)));
      health.replaceChildren(`✘ ${w("unhealthy")}: ${[...new Set(healed.missed.map((missed) => missed.split(/[:：]/)[0]))].join(", ")}`);
    }
    health.className = healed.heals ? "good" : "bad";
    box.append(...healed.stuck_reasons.map((reason) => el("div", "row", `${w("excused")}: ${reason}`)));
    drawVerdicts($("verdicts"), $("broken"), shown.broken, list.properties, healed.heals ? "heals" : "stuck");
    document.body.dataset.heals = healed.heals ? "heals" : "stuck";
  } catch (error) { if (mine === mark) say(error.message); }
}
