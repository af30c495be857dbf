"use strict";
// Draws a view: lanes of stores, quorums, keys, and PD beside the truth.

function el(tag, cls, ...children) {
  const node = document.createElement(tag);
  if (cls) node.className = cls;
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
}
// Letters where a key is some, as everywhere in Rollcall; else hexadecimal.
const bytesOf = (hex) => (hex.match(/../g) ?? []).map((two) => parseInt(two, 16));
const printable = (hex) => bytesOf(hex).every((code) => code > 32 && code < 127);
const keyText = (hex) => printable(hex) ? String.fromCharCode(...bytesOf(hex)) : `0x${hex}`;
const quoted = (hex) => printable(hex) ? `"${keyText(hex)}"` : keyText(hex);
const rangeText = (range) => `[${quoted(range.start)}, ${range.end ? quoted(range.end) : "∞"})`;
const SUFFIX = { voter: "", learner: "L", incoming_voter: "I", demoting_voter: "D" };
const memberText = (member) => `${member.id}@${member.store}${SUFFIX[member.role] ?? ""}`;
const membersText = (region) => `{${region.peers.map(memberText).join(" ")}}`;
const epochText = (epoch) => `${epoch.conf_ver}·${epoch.version}`;
const live = (peer) => peer.state !== "tombstone";
const initialised = (peer) => peer.state === "normal" || peer.state === "merging";
const kindOf = (command) => (!command ? "" : typeof command === "string" ? command : Object.keys(command)[0]);
const LETTERS = { "": "∅", put: "W", delete: "W", change_peer: "C", enter_joint: "J", leave_joint: "J", split: "S",
  prepare_merge: "M", commit_merge: "M", rollback_merge: "M", compact_log: "K" };
function changeText(command) {
  const kind = kindOf(command);
  const one = (change) => `${w(change.kind)} ${change.peer}@${change.store}`;
  if (kind === "change_peer") return one(command.change_peer);
  if (kind === "enter_joint") return `joint(${command.enter_joint.changes.map(one).join(", ")})`;
  if (kind === "leave_joint") return w("operator_leave_joint");
  return kind;
}
const isChange = (command) => ["change_peer", "enter_joint", "leave_joint"].includes(kindOf(command));

// The epochs of a region's replicas, to see whether they differ.
function epochsOf(view) {
  const epochs = {};
  for (const store of Object.values(view.stores)) {
    for (const [region, peer] of Object.entries(store.peers ?? {})) {
      if (initialised(peer)) (epochs[region] ??= new Set()).add(epochText(peer.region.epoch));
    }
  }
  return epochs;
}

function logCells(peer) {
  const log = el("div", "log");
  if (peer.log.truncated.index > 0) log.append(el("span", "cell gone", `≤${peer.log.truncated.index}`));
  (peer.log.entries ?? []).forEach((entry, at) => {
    const index = peer.log.truncated.index + 1 + at, kind = kindOf(entry.command);
    const cell = el("span", `cell kind-${kind || "empty"}${isChange(entry.command) ? " change" : ""}`,
      el("b", "", String(index)), el("i", "", LETTERS[kind] ?? kind), el("small", "", `t${entry.term}`));
    if (index <= peer.commit) cell.classList.add("committed");
    if (index <= peer.applied) cell.classList.add("applied");
    cell.title = `${index} · ${w("term")} ${entry.term} · ${changeText(entry.command) || "∅"}`
      + `${index <= peer.commit ? " · commit" : ""}${index <= peer.applied ? " · applied" : ""}`;
    log.append(cell);
  });
  log.append(el("span", "marks", `▲ commit ${peer.commit} ● applied ${peer.applied}`));
  return log;
}

function peerCard(region, peer, store, epochs, before, differs) {
  const was = before?.stores?.[store]?.peers?.[region];
  const changed = before && JSON.stringify(was) !== JSON.stringify(peer);
  const card = el("div", `peer ${peer.state} ${live(peer) ? peer.role : ""}${changed ? " changed" : ""}${differs?.has(`${store}/${region}`) ? " differs" : ""}`);
  card.dataset.region = region;
  const role = live(peer) && initialised(peer) ? peer.role : w(peer.state);
  const head = el("div", "head", el("b", "", `region ${region}`), ` peer ${peer.id} `, el("span", "role", role.toUpperCase()),
    live(peer) ? ` ${w("term")} ${peer.term} ${peer.vote ? `${w("vote")} ${peer.vote}` : ""} ${peer.leader && peer.role !== "leader" ? `${w("follows")} ${peer.leader}` : ""}` : "");
  const apart = initialised(peer) && epochs[region]?.size > 1;
  const epoch = el("span", `epoch${apart ? " apart" : ""}`, `${w("epoch")} ${epochText(peer.region.epoch)}${apart ? " ≠" : ""}`);
  if (apart) epoch.title = w("differs");
  head.append(" ", epoch);
  card.append(head);
  if (!live(peer)) {
    // A clean tombstone has neither.
    const left = ["commit", "applied"].filter((name) => peer[name]).map((name) => `${name} ${peer[name]}`);
    if (left.length) card.append(el("div", "also", left.join(" ")));
    return card;
  }
  if (peer.log) card.append(logCells(peer));
  if (initialised(peer)) card.append(el("div", "acts", `${w("acts")} ${membersText(peer.region)} ${rangeText(peer.region)}`));
  const pending = (peer.log.entries ?? []).filter((entry, at) => isChange(entry.command) && peer.log.truncated.index + 1 + at > peer.applied);
  if (pending.length) card.append(el("div", "appended", `${w("appended")}${w("colon")}${pending.map((entry) => changeText(entry.command)).join("; ")}`));
  const also = [];
  if (peer.snapshot) also.push(`${w("snapshot")} ${peer.snapshot.index ?? peer.snapshot.last?.index ?? ""}`);
  if (peer.leading?.transfer) also.push(`${w("transfer")} ${peer.leading.transfer.to ?? peer.leading.transfer.target ?? ""}`);
  if (peer.read) also.push(`${w("reads")} ${keyText(peer.read.key ?? "")}`);
  const data = Object.entries(peer.data ?? {}).map(([key, value]) => `${keyText(key)}=${keyText(value)}`);
  if (data.length) also.push(data.join(" "));
  if (peer.merge) also.push(`${w("merging")} → region ${peer.merge.target.id}`);
  if (also.length) card.append(el("div", "also", also.join(" · ")));
  const matched = Object.entries(peer.leading?.matched ?? {}).filter(([id]) => Number(id) !== peer.id);
  card.title = matched.length ? `${w("knows")}: ${matched.map(([id, index]) => `peer ${id} ${index}`).join(", ")}` : "";
  return card;
}

// `differs` has the peers to frame, as "store/region".
function drawLanes(into, view, before, title, differs) {
  into.replaceChildren();
  if (title) into.append(el("h3", "", title));
  const epochs = epochsOf(view);
  for (const [id, store] of Object.entries(view.stores)) {
    const lane = el("div", `lane ${store.status}`);
    lane.dataset.store = id;
    lane.append(el("div", "store", el("b", "", `store ${id}`), " ", el("span", "status", w(store.status))));
    const peers = Object.entries(store.peers ?? {});
    lane.append(el("div", "peers", peers.map(([region, peer]) => peerCard(region, peer, id, epochs, before, differs)),
      peers.length ? null : el("span", "empty", "—")));
    into.append(lane);
  }
}

// Who must answer, who has and who can, by name, for everybody who leads or asks; in a region
// where nobody does, for everybody who might.
function drawQuorum(into, view) {
  into.replaceChildren();
  const leads = (peer) => peer.role === "leader" || peer.role === "candidate", led = new Set();
  for (const has of Object.values(view.stores)) for (const [region, peer] of Object.entries(has.peers ?? {})) if (has.status === "up" && live(peer) && leads(peer)) led.add(region);
  for (const [store, has] of Object.entries(view.stores)) {
    for (const [region, peer] of Object.entries(has.peers ?? {})) {
      const votes = peer.region?.peers.some((member) => member.id === peer.id && member.role !== "learner");
      const might = !led.has(region) && has.status === "up" && initialised(peer) && votes;
      if (!live(peer) || !(leads(peer) || might)) continue;
      const joint = peer.region.peers.some((member) => member.role === "incoming_voter" || member.role === "demoting_voter");
      const incoming = peer.region.peers.filter((member) => member.role === "voter" || member.role === "incoming_voter");
      const outgoing = peer.region.peers.filter((member) => member.role === "voter" || member.role === "demoting_voter");
      const last = peer.log.truncated.index + (peer.log.entries ?? []).length;
      const granted = new Set((peer.campaign?.granted ?? [peer.id]).map(String));
      const yes = (member) => peer.role === "leader"
        ? member.id === peer.id || (peer.leading?.matched?.[member.id] ?? 0) >= last : granted.has(String(member.id)) || member.id === peer.id;
      const can = (member) => answers(view, region, peer, member);
      const row = el("div", "row", el("b", "", `region ${region}, store ${store}: ${leads(peer) ? peer.role : w("might")}, ${w("term")} ${peer.term}`));
      for (const [name, members] of joint ? [["outgoing", outgoing], ["incoming", incoming]] : [["", incoming]]) row.append(half(name, members, yes, can));
      into.append(row);
    }
  }
  if (!into.children.length) into.append(el("div", "row", w("noleader")));
}
// Whether the member can answer: "can", "waits" if its store runs and has no peer of that id yet
// (a split or a message of the leader brings it), "cannot".
function answers(view, region, peer, member) {
  const has = view.stores[member.store], at = has?.peers?.[region];
  if (has?.status !== "up") return "cannot";
  if (!at || at.id < member.id) return "waits";
  if (at.id > member.id || !live(at)) return "cannot";
  if (at.id === peer.id) return "can";
  // Nobody answers an older term.
  if (peer.role === "leader") return at.term > peer.term ? "cannot" : "can";
  if (peer.campaign?.granted?.includes(member.id)) return "can";
  const term = peer.role === "candidate" ? peer.term : peer.term + 1, gave = at.vote || at.leader;
  return at.term > term || (at.term === term && gave && gave !== peer.id) || newer(at.log, peer.log) ? "cannot" : "can";
}
const lastOf = (log) => ({ index: log.truncated.index + (log.entries ?? []).length, term: (log.entries ?? []).at(-1)?.term ?? log.truncated.term });
function newer(log, other) {
  const [one, two] = [lastOf(log), lastOf(other)];
  return one.term > two.term || (one.term === two.term && one.index > two.index);
}
function half(name, members, yes, answer) {
  const named = (some) => (some.length ? `${some.length} {${some.map(memberText).join(" ")}}` : "0");
  const needs = Math.floor(members.length / 2) + 1, has = members.filter(yes), lacks = members.filter((member) => !yes(member));
  const can = members.filter((member) => answer(member) === "can"), waits = members.filter((member) => answer(member) === "waits");
  const open = can.length + waits.length >= needs;
  return el("span", `half ${has.length >= needs ? "met" : open ? "open" : "lost"}`,
    `${has.length >= needs ? "✔" : open ? "…" : "✘"} ${name ? `${w(name)}: ` : ""}${w("needs", { n: needs })} {${members.map(memberText).join(" ")}} · ${w("has")} ${named(has)} · `
    + `${lacks.length ? `${w("lacks")} ${lacks.map(memberText).join(" ")} · ` : ""}${w("cananswer")} ${named(can)}${waits.length ? ` · ${w("notthere")} ${named(waits)}` : ""}`);
}

function newestRegions(view) {
  const newest = {};
  for (const store of Object.values(view.stores)) {
    for (const [region, peer] of Object.entries(store.peers ?? {})) {
      const known = newest[region]?.epoch, epoch = peer.region.epoch;
      if (!initialised(peer)) continue;
      if (!known || epoch.version > known.version || (epoch.version === known.version && epoch.conf_ver > known.conf_ver)) newest[region] = peer.region;
    }
  }
  return newest;
}

// A place without a region: `nowhere` says whether it is a hole.
function strip(name, ranges, bounds, nowhere) {
  const row = el("div", "strip", el("span", "name", name)), bar = el("div", "bar");
  for (let at = 0; at + 1 < bounds.length; at++) {
    const start = bounds[at];
    const covers = ranges.filter((range) => isIn(range, start));
    const cls = covers.length === 0 ? nowhere(start) : covers.length > 1 ? "overlap" : "one";
    const name = { overlap: `${w("overlap")}: `, hole: w("hole"), gap: "—", one: "" }[cls];
    bar.append(el("span", `part ${cls}`, `${name}${covers.map((range) => range.region).join("+")}`));
  }
  row.append(bar);
  return row;
}

const isIn = (range, key) => range.start <= key && (range.end === "" || range.end > key);
const rangesOf = (view) => Object.values(view.stores).flatMap((store) => store.ranges ?? []);
// `covered` is what the regions had at first. Only there the newest epochs can have a hole; a
// store may lack any region.
function drawKeys(into, view, covered) {
  into.replaceChildren();
  const newest = Object.entries(newestRegions(view)).map(([region, meta]) => ({ region, start: meta.start, end: meta.end }));
  const all = rangesOf(view).concat(newest, covered);
  const bounds = [...new Set(["", ...all.map((range) => range.start), ...all.map((range) => range.end).filter((end) => end)])].sort();
  bounds.push("￿");
  const scale = el("div", "strip", el("span", "name", ""), el("div", "bar scale", bounds.slice(0, -1).map((bound, at) => el("span", "part", at === bounds.length - 2 ? el("span", "end", "∞") : null, quoted(bound)))));
  into.append(scale);
  for (const [id, store] of Object.entries(view.stores)) if (store.ranges?.length) into.append(strip(`store ${id}`, store.ranges, bounds, () => "gap"));
  into.append(strip(w("newest"), newest, bounds, (key) => covered.some((range) => isIn(range, key)) ? "hole" : "gap"));
}

// The truth of a region: what its leader of the highest term has applied; where none lives,
// the newest that any peer has applied whose disk is not lost.
function truthOf(view, region) {
  let best = null;
  const rank = (one) => [one.leads, one.leads ? one.peer.term : 0, one.peer.region.epoch.version, one.peer.region.epoch.conf_ver, one.peer.applied, one.up].map(Number);
  const above = (one, other) => { const at = rank(one).findIndex((value, at) => value !== rank(other)[at]); return at >= 0 && rank(one)[at] > rank(other)[at]; };
  for (const has of Object.values(view.stores)) {
    const peer = has.peers?.[region];
    if (has.status === "disk_lost" || !peer || !live(peer) || !initialised(peer)) continue;
    const one = { peer, up: has.status === "up", leads: has.status === "up" && peer.role === "leader" };
    if (!best || above(one, best)) best = one;
  }
  return best;
}

const PD_STATES = { up: "Up", offline: "Offline", tombstone: "Tombstone" };
// `refused` says of a region why PD took its last report for stale, if it did.
function drawDriver(into, view, refused) {
  into.replaceChildren();
  const pd = view.pd;
  if (!pd || !(pd.stores && Object.keys(pd.stores).length)) { into.append(el("div", "row", w("nopd"))); return; }
  const field = (name, believed, truth) => {
    const stale = truth !== null && believed !== truth;
    return el("div", `field${stale ? " stale" : ""}`, `${name}: `, el("span", "believed", believed), stale ? ` ✗ ${w("truth")}: ${truth}` : "");
  };
  for (const [id, store] of Object.entries(pd.stores)) {
    const status = view.stores[id]?.status, away = status !== undefined && status !== "up";
    into.append(el("div", `row${away && store.liveness === "connected" ? " stale" : ""}`, el("b", "", `store ${id}`),
      ` ${PD_STATES[store.state] ?? store.state} · ${w(`live_${store.liveness}`)}${store.full ? ` · ${w("full")}` : ""}${away ? ` · ${w("truth")}: ${w(status)}` : ""}`));
  }
  const planned = { ...pd.operators };
  for (const one of pd.waiting ?? []) planned[one.region] ??= { ...one.operator, waits: true };
  for (const [id, known] of Object.entries(pd.regions ?? {})) {
    const newest = truthOf(view, id), truth = newest?.peer, row = el("div", "row", el("b", "", `region ${id}`));
    if (newest && !newest.leads) row.append(` (${w("noleader")}; ${w("truth")}: ${w("newestpeer")}, peer ${truth.id})`);
    if (!newest) row.append(el("span", "stale", ` ✗ ${w("truth")}: ${w("gone")}`));
    row.append(field(w("range"), rangeText(known.region), truth ? rangeText(truth.region) : null));
    row.append(field(w("epoch"), epochText(known.region.epoch), truth ? epochText(truth.region.epoch) : null));
    row.append(field(w("acts"), membersText(known.region), truth ? membersText(truth.region) : null));
    row.append(field(w("leader"), known.leader ? `peer ${known.leader}` : "—", newest ? (newest.leads ? `peer ${truth.id}` : "—") : null));
    for (const name of ["pending", "down"]) if (known[name]?.length) row.append(el("div", "field", `${name}: ${known[name].map((peer) => `peer ${peer}`).join(", ")}`));
    row.append(el("div", "field", operatorText(planned[id])));
    const why = refused?.(id);
    if (why) row.append(el("div", "field stale", `${w("reportrefused")}: ${why}`));
    into.append(row);
  }
  if (pd.recovery) into.append(el("div", "row", `${w("recovery")}: ${pd.recovery.stage}`));
}
// What a step of an operator does; a seat is a peer on its store.
function stepText(one) {
  const [kind, of] = Object.entries(one)[0], seat = (of) => `${of.peer}@${of.store}`, seats = (all) => `{${(all ?? []).map(seat).join(" ")}}`;
  return w(`operator_${kind}`, { to: of.to, seat: seat(of), promote: seats(of.promote), demote: seats(of.demote), keys: (of.keys ?? []).map(quoted).join(", ") });
}
function operatorText(operator) {
  if (!operator) return w("nooperator");
  const step = (one, at) => `${at < operator.done ? "✓" : at === operator.done ? "▸" : ""}${stepText(one)}`;
  return `${w("operator")} ${operator.purpose}${operator.waits ? ` (${w("waits")})` : ""}: ${operator.steps.map(step).join(" → ")}`;
}

// Messages under way, in words. `deliver` says of a place how its message arrives, if it may.
function drawHeld(into, held, deliver) {
  into.replaceChildren();
  (held ?? []).forEach((words, at) => {
    const row = el("div", "row late", `✉ ${at}: ${words} `), arrives = deliver?.(at);
    if (arrives) {
      const button = el("button", "", w("deliver"));
      button.onclick = arrives;
      row.append(button);
    }
    into.append(row);
  });
  if (!held?.length) into.append(el("div", "row", w("nolate")));
}

// What the marks mean; the cells are those of the lanes.
function drawLegend(into) {
  const cell = (cls, letter) => el("span", `cell ${cls}`, el("b", "", "7"), el("i", "", letter), el("small", "", "t6"));
  const line = (mark, name) => el("div", "row", mark, " ", w(name));
  into.replaceChildren(
    el("div", "log", cell("", "W"), cell("committed", "W"), cell("committed applied", "W"), cell("committed applied change", "C")),
    el("div", "row", w("legendcells")), line([el("span", "cell gone", "≤5"), el("span", "marks", " ▲ commit 7 ● applied 6")], "legendmarks"), el("div", "row", w("legendkinds")), el("div", "row", w("legendpeers")), el("div", "row", w("legendmembers")),
    line(el("span", "epoch apart", "3·1 ≠"), "legendepoch"),
    line(el("span", "stale", el("span", "believed", "peer 1"), " ✗"), "legendpd"),
    el("div", "strip", el("span", "part one", "1"), el("span", "part gap", "—"), el("span", "part hole", w("hole")), el("span", "part overlap", w("overlap"))),
    el("div", "row", w("legendkeys")), el("div", "row", w("legenddots")));
}
