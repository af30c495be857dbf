"use strict";
// The second column, and what comes of the state once faults stop.
function columnName(side, without, unknown = []) {
  const name = side === "impl" ? "raft-rs" : w("model"), lacks = without.map((guard) => w("withoutguard", { g: guard })).join(", ");
  return [name, lacks || (unknown.length ? "" : w("allguards")), ...unknown.map((guard) => w("unknownguard", { g: guard }))].filter(Boolean).join(w("comma"));
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
    drawLanes($("others"), other.view, other.before, names[1], differs);
    const box = $("parted");
    if (parts) box.replaceChildren(el("b", "", w("partedat", { n: parts.step, a: parts.words })), partedTable(parts, names));
    else box.replaceChildren(w("same", { n: other.compared }), ...sameRules(other) ? [el("p", "", w("samerules"))] : []);
    box.className = parts ? "bad" : "good";
    document.body.dataset.beside = parts ? `parted ${parts.step}` : "same";
  } catch (error) {
    if (mine !== mark) return;
    // A column that a link asks for and that does not exist is left out; the server may just have ended.
    if (error.told) {
      Object.assign(link, { side: "", other: "" });
      history.replaceState(null, "", fragment());
      fillSelects();
      drawLanes($("lanes"), shown.view, shown.before, "");
      $("others").hidden = $("parted").hidden = true;
    }
    say(error.message);
  }
}
// Nothing can differ, and the reader may wait for a difference.
const sameRules = (other) => other.side === "model" && [...other.without].sort().join() === list_of(link.without).sort().join();
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
    } else {
      box.append(el("div", "row bad", `✘ ${w("stuck")}`), ...healed.missed.map((missed) => el("div", "row", missed)),
        ...healed.refused.slice(0, 6).map(([words, reason, meaning]) => el("div", "row", `${w("refused")}${w("colon")}${words} — ${reason}${w("colon")}${meaning}`)));
    }
    drawHealth(health, healed);
    box.append(...healed.stuck_reasons.map((reason) => el("div", "row", `${w("excused")}${w("colon")}${reason}`)));
    drawVerdicts($("verdicts"), $("broken"), shown.broken, list.properties, healed.heals ? "heals" : "stuck");
    document.body.dataset.heals = healed.heals ? "heals" : "stuck";
  } catch (error) { if (mine === mark) say(error.message); }
}
