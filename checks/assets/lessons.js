"use strict";
// Lessons: the story, a guess before the step that decides, what really happens.
let lesson = null, answered = {}, seen = 0;

// `whole`: who comes back has been there before.
async function openLesson(number, at = 0, whole = false) {
  try {
    const again = lesson?.number === number;
    const told = await ask(`/api/lesson?number=${number}&lang=${language}`);
    leaveExercise();
    lesson = told;
    if (!again) { answered = {}; seen = 0; }
    if (whole) seen = lesson.do.length;
    Object.assign(link, { lesson: number, scope: lesson.scope, without: lesson.without, do: lesson.do, at: Math.min(at, lesson.do.length), side: "", other: "" });
    $("dialog").close();
    drawLesson();
    await go();
  } catch (error) { await fallBack(error.message); }
}
function leaveLesson() { lesson = null; link.lesson = 0; $("lesson").hidden = true; }
// The last step that is not behind a question which nobody has answered. A link that stands
// behind one is taken for an answer.
function guessed() {
  seen = Math.max(seen, link.at ?? 0);
  const open = lesson.questions.filter((question, at) => answered[at] === undefined && question.before > seen).map((question) => question.before - 1);
  return Math.min(lesson.do.length, ...open);
}
function lessonViolation(direction) {
  const most = guessed();
  for (let to = shown.at + direction; to > 0 && to <= most; to += direction) if (shown.steps[to - 1].violated.length) return step(to);
  note(most < lesson.do.length && direction > 0 ? w("guessfirst", { n: most + 1 }) : w("noviolation"));
}
// A lesson's text: `code` and **what matters** as such.
function prose(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) =>
    part.startsWith("`") ? el("code", "", part.slice(1, -1)) : part.startsWith("**") ? el("b", "", part.slice(2, -2)) : part);
}
const paragraphs = (text) => text.split(/\n+/).filter(Boolean).map((line) => el("p", "", prose(line)));
function drawLesson() {
  const box = $("lesson"), at = behind();
  box.hidden = false;
  box.replaceChildren(el("h2", "", `${lesson.number}. ${lesson.title}`));
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
  attempt.onclick = () => openExercise(lesson.number);
  const done = el("button", "done", w("ends"));
  done.onclick = () => { leaveLesson(); go(); };
  box.append(el("h3", "", w("rule")), ...paragraphs(lesson.rule), el("p", "guard", `guard: ${lesson.guard}`), el("h3", "", w("claims")),
    el("ul", "", lesson.claims.map((claim) => el("li", "", claim))), el("h3", "", w("exercise")), ...paragraphs(lesson.exercise),
    el("p", "also", w("answerfile", { n: lesson.number })), attempt, done);
}
function drawAnswer(box, question, letter) {
  const right = letter === question.right;
  box.append(el("div", right ? "answer good" : "answer bad", el("b", "", right ? `✔ ${w("right")}` : `✘ ${w("wrong")} ${question.choices[question.right]}`), el("p", "", prose(question.answer))));
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
