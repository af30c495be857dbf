"use strict";
// An exercise: its task, its limit and what the model says of the steps stay in sight while
// somebody tries.
let exercise = null;

async function openExercise(number, actions = [], at = null, { side = "", other = "", also = "" } = {}) {
  try {
    const told = await ask(`/api/lesson?number=${number}&lang=${language}`);
    lesson = null;
    exercise = told;
    Object.assign(link, { lesson: 0, branch: "", exercise: number, scope: told.exercise_scope, without: told.exercise_without, do: actions, at, side, other, through: false });
    $("dialog").close();
    drawExercise();
    await go(true, also);
  } catch (error) { await fallBack(error.message); }
}
function leaveExercise() {
  exercise = null;
  link.exercise = 0;
  if (!lesson) $("lesson").hidden = true;
  delete document.body.dataset.judged;
}
function drawExercise(verdict = el("p", "judged", w("judging"))) {
  const box = $("lesson"), at = behind();
  box.hidden = false;
  box.replaceChildren(el("h2", "", w("task", { n: exercise.number })), ...paragraphs(exercise.exercise),
    el("p", `limit${at > exercise.exercise_steps ? " bad" : ""}`, w(at > exercise.exercise_steps ? "over" : "limit", { n: at, of: exercise.exercise_steps })), verdict,
    act("again", w("again"), () => { Object.assign(link, { do: [], at: null }); go(); }),
    act("tolesson", w("tolesson"), () => openLesson(exercise.number, exercise.do.length, { whole: true })),
    act("leave", w("leave"), () => { leaveExercise(); go(); }), el("p", "also", prose(w("answerfile", { n: exercise.number }))));
}
// What the model says of the steps up to here.
async function judge(mine) {
  if (!exercise) return;
  drawExercise();
  document.body.dataset.judged = "";
  const taken = link.do.slice(0, behind());
  try {
    const judged = taken.length ? await ask(`/api/judge?${new URLSearchParams({ exercise: exercise.number, do: taken.join(";"), lang: language })}`) : null;
    if (mine !== mark) return;
    const is = !judged ? "begins" : judged.solved !== null ? `solved ${judged.solved}` : judged.open ? "open" : "refused";
    const verdict = !judged ? el("p", "judged", w("noanswer"))
      : judged.solved !== null ? el("p", "judged good", `✔ ${w("solved", { n: judged.solved })}`)
        : el("p", `judged ${judged.open ? "" : "bad"}`, `${judged.open ? `… ${w("notyet")}` : `✘ ${w("notsolved")}`}${judged.because}`);
    drawExercise(verdict);
    document.body.dataset.judged = is;
  } catch (error) { if (mine === mark) say(error.message); }
}
// An answer's file: an action a line, by name or as JSON, or a trace.
async function openAnswer(text) {
  const isTrace = /^\s*\{\s*"record"\s*:\s*"header"/m.test(text);
  try {
    const opened = await ask(`/api/${isTrace ? "open" : "answer"}?lang=${language}`, { method: "POST", body: text });
    Object.assign(link, { do: opened.do, at: null });
    await go();
  } catch (error) { say(error.message); }
}
