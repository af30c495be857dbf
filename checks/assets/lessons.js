"use strict";
// Lessons: the story, a guess before the step that decides, what really happens.
let lesson = null, answered = {}, seen = 0;

// Whether the page is on the lesson's own steps: not on the branch of a wrong guess, and not
// on steps that the reader chose.
const onLesson = () => lesson !== null && !link.branch && link.do === lesson.do && link.without === lesson.without;
// Whether so many of the link's steps are the lesson's.
const follows = (many) => link.scope === lesson.scope && link.without === lesson.without && many <= lesson.do.length
  && link.do.slice(0, many).every((name, at) => name === lesson.do[at]);
// The branch that a link calls so: `1b` is where the guess b at the first question comes true.
function branchOf(name) {
  const [, number, letter] = /^(\d+)([a-d])$/.exec(name) ?? [];
  const asked = Number(number) - 1, guess = "abcd".indexOf(letter), branch = lesson.questions[asked]?.branches[guess];
  return branch ? { asked, guess, branch } : null;
}

// The branch whose steps the link's are, if any.
function branchHere() {
  const names = lesson.questions.flatMap((question, asked) => question.branches.map((branch, guess) => branch && `${asked + 1}${"abcd"[guess]}`));
  const is = (branch) => branch.without === link.without && branch.do.join(";") === link.do.join(";");
  return names.find((name) => name && is(branchOf(name).branch));
}

// `whole`: who comes back has been there before. `own`: the steps that the reader chose.
async function openLesson(number, at = 0, { whole = false, branch = "", own = null, side = "", other = "", also = "" } = {}) {
  try {
    const again = lesson?.number === number;
    const told = await ask(`/api/lesson?number=${number}&lang=${language}`);
    leaveExercise();
    lesson = told;
    if (!again) { answered = {}; seen = 0; undone.length = 0; }
    if (whole) seen = lesson.do.length;
    Object.assign(link, { lesson: number, branch: "", exercise: 0, scope: lesson.scope, without: lesson.without, do: lesson.do, at: at ?? 0, side, other, through: false });
    const found = branchOf(branch);
    if (found) openGuess(branch, at);
    else if (own) {
      Object.assign(link, own, { at });
      if (follows(link.do.length)) Object.assign(link, { at: behind(), do: lesson.do });
    }
    $("dialog").close();
    await go(true, branch && !found ? w("wrongbranch", { n: number, b: branch }) : also);
  } catch (error) { await fallBack(error.message); }
}
// Where a guess comes true. Who is there has guessed.
function openGuess(name, at = null) {
  const { asked, guess, branch } = branchOf(name);
  answered[asked] ??= guess;
  Object.assign(link, { branch: name, without: branch.without, do: branch.do, at });
}
function backToLesson(at) {
  Object.assign(link, { scope: lesson.scope, without: lesson.without, do: lesson.do, branch: "", at });
  link.at = Math.min(at, guessed());
  return go();
}
// From here on the reader goes his own way, and takes the lesson along.
function leaveSteps() { if (onLesson() || link.branch) Object.assign(link, { do: link.do.slice(0, behind()), at: null, branch: "" }); }
// Who leaves keeps the steps so far; a refused one among them stays a step.
function leaveHere() {
  leaveSteps();
  leaveLesson();
  link.through = link.do.length > 0;
  go();
}
const leaveButton = () => act("leave", w("leave"), leaveHere);
function leaveLesson() { lesson = null; Object.assign(link, { lesson: 0, branch: "" }); $("lesson").hidden = true; }
// The last step that is not behind a question which nobody has answered. A link that stands
// behind one is taken for an answer.
function guessed() {
  seen = Math.max(seen, link.at ?? 0);
  const open = lesson.questions.filter((question, at) => answered[at] === undefined && question.before > seen).map((question) => question.before - 1);
  return Math.min(lesson.do.length, ...open);
}
// The question that waits for its guess before the next step, by its place; -1 if none does.
const openQuestion = () => lesson && onLesson() ? lesson.questions.findIndex((question, at) => question.before === behind() + 1 && answered[at] === undefined) : -1;
const waitsForGuess = () => openQuestion() >= 0;
// What would decide a question is not told before the guess: verdicts, whether it heals, who
// must answer, what may happen.
function drawUntold() {
  $("heals").replaceChildren();
  $("broken").replaceChildren(el("div", "row untold", w("untold")));
  $("verdicts").replaceChildren(el("span", "", `? ${w("untold")}`));
  $("health").replaceChildren();
  $("quorum").replaceChildren(el("div", "row untold", w("untold")));
}
function lessonViolation(direction) {
  const most = onLesson() ? guessed() : shown.steps.length;
  for (let to = shown.at + direction; to > 0 && to <= most; to += direction) if (shown.steps[to - 1].violated.length) return step(to);
  const met = hereIsBad() || shown.steps.slice(0, most).some((taken) => taken.violated.length);
  note(most < link.do.length && direction > 0 ? w("guessfirst", { n: most + 1 }) : w(met ? "nomore" : "noviolation"));
}
// A lesson's text: `code` and **what matters** as such.
function prose(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) =>
    part.startsWith("`") ? el("code", "", part.slice(1, -1)) : part.startsWith("**") ? el("b", "", part.slice(2, -2)) : part);
}
const paragraphs = (text) => text.split(/\n+/).filter(Boolean).map((line) => el("p", "", prose(line)));
function act(cls, words, does) {
  const button = el("button", cls, words);
  button.onclick = does;
  return button;
}
const onButton = (at) => act("on", w("stepon", { n: at + 1 }), () => step(at + 1));
function drawLesson() {
  const box = $("lesson"), at = behind();
  box.hidden = false;
  box.replaceChildren(el("h2", "", `${lesson.number}. ${lesson.title}`));
  if (link.branch) return drawBranch(box, at);
  if (!onLesson()) return drawAside(box);
  if (at === 0) box.append(...paragraphs(lesson.story));
  else box.append(el("p", "narrated", prose(lesson.steps[at - 1] ?? "")));
  const last = lesson.questions.findIndex((question) => question.before === at);
  if (last >= 0 && answered[last] !== undefined) drawAnswer(box, lesson.questions[last], answered[last]);
  const next = openQuestion();
  if (next >= 0) {
    const question = lesson.questions[next];
    box.append(el("div", "question", el("p", "", prose(question.question)), question.choices.map((choice, letter) => {
      const button = el("button", "choice", `${"abc"[letter]}) `, prose(choice));
      button.onclick = () => { answered[next] = letter; step(at + 1); };
      return button;
    })), leaveButton());
    return;
  }
  if (at < lesson.do.length) { box.append(onButton(at), leaveButton()); return; }
  box.append(el("h3", "", w("rule")), ...paragraphs(lesson.rule), el("p", "guard", `guard: ${lesson.guard}`), el("h3", "", w("claims")),
    el("ul", "", lesson.claims.map((claim) => el("li", "", claim))), el("h3", "", w("exercise")), ...paragraphs(lesson.exercise),
    el("p", "also", w("answerfile", { n: lesson.number })),
    act("try", w("try"), () => openExercise(lesson.number)), act("done", w("ends"), leaveHere));
}
function drawAnswer(box, question, letter) {
  const right = letter === question.right;
  box.append(el("div", right ? "answer good" : "answer bad", el("b", "", right ? `✔ ${w("right")}` : `✘ ${w("wrong")} ${question.choices[question.right]}`), el("p", "", prose(question.answer))));
  if (right || !question.branches[letter]) return;
  const name = `${lesson.questions.indexOf(question) + 1}${"abcd"[letter]}`;
  box.append(act("branch", w("branch"), () => { openGuess(name); go(); }));
}
// A branch has its own steps, to be walked like any other.
function drawBranch(box, at) {
  const { asked, guess } = branchOf(link.branch), question = lesson.questions[asked];
  box.append(el("h3", "guessed", w("guessed"), `${"abcd"[guess]}) `, prose(question.choices[guess])), el("p", "", prose(question.told[guess])));
  if (at < link.do.length) box.append(onButton(at));
  box.append(act("back", w("back"), () => backToLesson(question.before)), leaveButton());
}
function drawAside(box) {
  let shared = 0;
  if (link.scope === lesson.scope) while (shared < link.do.length && link.do[shared] === lesson.do[shared]) shared++;
  box.append(el("p", "", w("aside")), act("back", w("backto", { n: lesson.number }), () => backToLesson(shared)),
    leaveButton());
}
