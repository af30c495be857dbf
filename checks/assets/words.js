"use strict";
// What the page says, in both languages. A test asks that neither lacks a word.
const WORDS = {
  en: {
    scope: "scope", without: "guard off", undo: "undo", redo: "redo", lessons: "Lessons", museum: "Museum", save: "save",
    copy: "copy link", may: "What may happen next", maynot: "What may not, and why", stores: "Stores", quorum: "Quorum",
    keys: "Keys", verdict: "Verdicts at this state", pd: "What PD believes", none: "none: every guard is on",
    begin: "The beginning", step: "step", of: "of", find: "filter (f)", nothing: "Nothing more may happen within this scope.",
    sound: "properties hold here", healing: "once faults stop…", heals: "heals in {n} steps", stuck: "does not heal", play: "play it",
    excused: "not owed", refused: "refused", up: "up", down: "down", disk_lost: "disk lost", term: "term", vote: "vote",
    follows: "follows", acts: "acts by", appended: "appended, not applied", epoch: "epoch", differs: "differs from another replica",
    needs: "needs {n} of", has: "has", lacks: "lacks", alive: "alive", outgoing: "outgoing half", incoming: "incoming half",
    newest: "newest epochs", hole: "hole", overlap: "overlap", truth: "truth", leader: "leader", operator: "operator",
    nooperator: "no operator", nopd: "This scope has no placement driver; ids come from a counter.", held: "Messages under way",
    one: "one column", every: "beside: every guard on", impl: "beside: raft-rs", same: "Both columns are equal in all {n} steps.",
    parted: "They part at step {n}", here: "left", there: "right", stopped: "Step {n} is refused", before: "The state before it is shown.",
    ended: "The server has ended. Start it again with: rollcall explore. This page keeps its link.", why: "why?",
    drop: "drop {g} and go on", guess: "What happens?", right: "Right.", wrong: "Not so. It is:", branch: "Show what it takes",
    back: "back to the lesson", rule: "The rule", claims: "What the checker measured", exercise: "Exercise", try: "Try it here",
    ends: "End of the lesson", leave: "leave the lesson", tombstone: "tombstone", uninitialised: "uninitialised", normal: "",
    merging: "merging", tried: "tried", copied: "The link is copied.", snapshot: "snapshot up to", transfer: "hands over to",
    reads: "reads", help: "Keys", noguard: "No single guard decides this.", decides: "decided by",
    keyhelp: "← → or h l: step · ↑ ↓ or j k: choose · Enter: take · u: undo · U: redo · b: next branch · v V: next, previous violation on the tree · n: shortest way to a violation · t: play how it heals · x: what may not · w: beside other rules · r: beside raft-rs · f: filter · /: find by symptom · o g: scope, guard · m: museum · p: lessons (a b c: guess) · y: copy the link · s: save as a scenario · z: 中文 · ?: this help. Drop a scenario or trace on the page to load it.",
    stillhelp: "← → or h l: step · Home, End · v V: next, previous violation · z: 中文 · ?: this help",
    range: "range", waits: "waits", reportrefused: "last report refused", knows: "knows", because: "rule",
    otherguard: "there without", nearest: "shortest way to a violation", searching: "Searching from here…",
    found: "{n} steps from here to {p} ({s} states looked at). ▶ walks there.",
    notfound: "No violation can be reached from here: {s} states, all that the budgets allow.",
    bounded: "No violation among the nearest {s} states; there are more.",
    noviolation: "No violation is on the tree that was tried here. n searches for one.",
    doors: "Find", seen: "What did you see? A message, a guard, a scope: meta corruption detected", nodoors: "Nothing here is about that.",
    without_it: "drop it here", lesson: "lesson", partedstop: "Both columns stop there.", file: "What the file says",
    effect: "What it would change", about: "Begins with", add_voter: "add voter", add_learner: "add learner", remove: "remove",
  },
  zh: {
    scope: "scope", without: "关掉的 guard", undo: "撤销", redo: "重做", lessons: "课程", museum: "bug 博物馆", save: "保存",
    copy: "复制链接", may: "接下来可以发生", maynot: "不可以发生的，以及为什么", stores: "store", quorum: "多数派", keys: "key 空间",
    verdict: "此刻的结论", pd: "PD 以为的", none: "无：guard 全开", begin: "开始", step: "第", of: "步，共", find: "过滤 (f)",
    nothing: "在这个 scope 里不会再发生什么。", sound: "条性质在此成立", healing: "故障停止之后…", heals: "{n} 步恢复",
    stuck: "无法恢复", play: "播放", excused: "不要求", refused: "被拒绝", up: "运行", down: "宕机", disk_lost: "磁盘丢失",
    term: "任期", vote: "投给", follows: "跟随", acts: "生效的配置", appended: "已追加，未 apply", epoch: "epoch",
    differs: "与另一副本不同", needs: "需要 {n} 个，出自", has: "已有", lacks: "还缺", alive: "活着", outgoing: "出的一半", incoming: "进的一半",
    newest: "最新 epoch", hole: "空洞", overlap: "重叠", truth: "实际", leader: "leader", operator: "operator",
    nooperator: "没有 operator", nopd: "这个 scope 没有 PD，id 来自计数器。", held: "路上的消息", one: "一栏",
    every: "对照：guard 全开", impl: "对照：raft-rs", same: "两栏 {n} 步全部相同。", parted: "第 {n} 步分道", here: "左", there: "右",
    stopped: "第 {n} 步被拒绝", before: "显示的是它之前的状态。",
    ended: "服务已结束。用 rollcall explore 重新启动，本页的链接仍然有效。", why: "为什么？", drop: "关掉 {g} 继续",
    guess: "会怎样？", right: "猜对了。", wrong: "不是这样。答案是：", branch: "看看要怎样才会成真", back: "回到课程", rule: "规则",
    claims: "检查器测得", exercise: "练习", try: "在这里试", ends: "本课结束", leave: "离开课程", tombstone: "墓碑",
    uninitialised: "未初始化", normal: "", merging: "合并中", tried: "试过", copied: "链接已复制。", snapshot: "快照到", transfer: "让位给",
    reads: "读", help: "按键", noguard: "没有哪一个 guard 单独决定它。", decides: "由它决定",
    keyhelp: "← → 或 h l：前后一步 · ↑ ↓ 或 j k：选择 · Enter：执行 · u：撤销 · U：重做 · b：下一个分支 · v V：树上下一个、上一个违反 · n：到违反的最短路 · t：播放如何恢复 · x：不可以发生的 · w：对照别的规则 · r：对照 raft-rs · f：过滤 · /：按症状查找 · o g：scope、guard · m：bug 博物馆 · p：课程（a b c：猜） · y：复制链接 · s：存成 scenario · z：English · ?：帮助。把 scenario 或 trace 拖到页面上即可打开。",
    stillhelp: "← → 或 h l：前后一步 · Home、End · v V：下一个、上一个违反 · z：English · ?：帮助",
    range: "范围", waits: "等待中", reportrefused: "上次上报被拒", knows: "它知道", because: "规则",
    otherguard: "另一栏关掉", nearest: "到违反的最短路", searching: "正从这里搜索…",
    found: "从这里 {n} 步到 {p}（看了 {s} 个状态）。▶ 走过去。",
    notfound: "从这里到不了任何违反：预算之内的 {s} 个状态都看过了。",
    bounded: "最近的 {s} 个状态里没有违反；还有更多。",
    noviolation: "试过的树上没有违反。按 n 搜索一个。",
    doors: "查找", seen: "你看到了什么？报错、guard 或 scope：缩容不掉", nodoors: "这里没有与它有关的。",
    without_it: "在这里关掉它", lesson: "课程", partedstop: "两栏都停在那里。", file: "文件里的结论",
    effect: "它会改变什么", about: "从这里开始", add_voter: "加 voter", add_learner: "加 learner", remove: "移除",
  },
};
// A page in a file may not be allowed to keep anything.
function kept() { try { return localStorage.getItem("language"); } catch { return null; } }
function keep() { try { localStorage.setItem("language", language); } catch { /* It is asked again next time. */ } }
let language = kept() === "zh" ? "zh" : "en";
function w(name, filled = {}) {
  let text = WORDS[language][name];
  for (const [key, value] of Object.entries(filled)) text = text.replace(`{${key}}`, () => value);
  return text;
}
