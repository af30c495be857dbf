// A lesson is left and found again: on the branch of a wrong guess, on steps that the reader
// chose; by link, by key, in both languages. And what else goes without a mouse.
"use strict";
const fs = require("fs");

module.exports = (page, is, { open, becomes, text }) => {
  // The page is behind a link, drawn, and nothing is under way.
  async function on(hash, ready) {
    await page.waitForFunction(([hash, ready]) => location.hash === hash && document.body.dataset.ready === ready
      && document.body.dataset.drawn === String(mark), [hash, ready], { timeout: 20000 }).catch(() => {});
    is("the link", await page.evaluate(() => location.hash), hash);
    await becomes(ready);
  }
  const press = (key) => page.keyboard.press(key);
  const chosen = (way) => page.setInputFiles("#file", way);
  return {
    async branch() {
      await open("#lesson=5");
      await press("c");
      await on("#lesson=5&at=1", "1/11");
      is("the guess was wrong", await text("#lesson .answer"), /^✘ Not so/);
      await press("d");
      await on("#lesson=5&branch=1c", "1/1");
      is("the guess that comes true", await text("#lesson .guessed"), /^What it takes for c\) It refuses: of two voters/);
      is("by the branch's own rules", await text("#story .outcome"), /demote_first/);
      is("no answer of the lesson stands beside it", await page.locator("#lesson .answer").count(), 0);
      await press("h");
      await on("#lesson=5&branch=1c&at=0", "0/1");
      is("the branch's own step comes next", await text("#lesson .on"), "step 1 ▶");
      is("the way back stays", await text("#lesson .back"), "back to the lesson");
      await press("l");
      await on("#lesson=5&branch=1c", "1/1");
      await press("u");
      await on("#lesson=5&branch=1c&at=0", "0/1");
      is("undo does not throw out", await text("#lesson h2"), /^5\. /);
      await press("z");
      await page.waitForFunction(() => document.documentElement.lang === "zh" && document.body.dataset.drawn === String(mark), null, { timeout: 20000 });
      await on("#lesson=5&branch=1c&at=0", "0/1");
      is("the branch in Chinese", await text("#lesson .guessed"), /^要这样才会成真：c\) 拒绝/);
      is("its step in Chinese", await text("#lesson .on"), "第 1 步 ▶");
      await press("z");
      await page.waitForFunction(() => document.documentElement.lang === "en" && document.body.dataset.drawn === String(mark), null, { timeout: 20000 });
      // What is chosen there is taken back, and the branch is there again.
      await press("l");
      await on("#lesson=5&branch=1c", "1/1");
      await page.click("#may .act");
      await page.waitForFunction(() => /^#lesson=5&without=&do=/.test(location.hash) && document.body.dataset.ready === "2/2", null, { timeout: 20000 });
      const own = await page.evaluate(() => location.hash);
      await press("u");
      await on("#lesson=5&branch=1c", "1/1");
      await press("U");
      await on(own, "2/2");
      await open("#lesson=5&branch=2a&at=11");
      await on("#lesson=5&branch=2a&at=11", "11/12");
      is("the link of a branch shows it again", await text("#lesson .guessed"), /a\) Store 1 recovers/);
      is("with its own story", await text("#story h2"), /^11\. Late message 2/);
      await press("q");
      await on("#lesson=5&at=11", "11/11");
      is("the lesson goes on", await text("#lesson .answer"), /^✘ Not so\. It is: Nobody ever leads again/);
      await page.goBack();
      await on("#lesson=5&branch=2a&at=11", "11/12");
      is("and back in the browser", await text("#lesson .guessed"), /a\) Store 1 recovers/);
      await open("#lesson=5&branch=9z");
      is("no such branch", await text("#error"), "Lesson 5 has no branch 9z; the lesson is shown.");
      await becomes("0/11");
      await open("#lesson=5&at=99");
      is("no such step", await text("#error"), /asks for step 99 and has 11; step 11 is shown/);
      is("and the link is mended", await page.evaluate(() => location.hash), "#lesson=5&at=11");
    },
    // Steps that the reader chose in a lesson.
    async own() {
      await open("#lesson=5&at=2");
      const name = await page.evaluate(() => {
        const other = [...document.querySelectorAll("#may .act")].find((act) => act.dataset.name !== lesson.do[2]);
        other.click();
        return other.dataset.name;
      });
      const start = await page.evaluate(() => lesson.do.slice(0, 2).join(";")), hash = `#lesson=5&do=${start};${name}`;
      await on(hash, "3/3");
      is("the steps are told to be the reader's", await text("#lesson"), /These steps are your own.*back to lesson 5/);
      await open(hash);
      await on(hash, "3/3");
      is("a link with a lesson and steps shows both", await text("#lesson .back"), "back to lesson 5");
      await press("u");
      await on("#lesson=5&at=2", "2/11");
      await press("U");
      await on(hash, "3/3");
      await press("q");
      await on("#lesson=5&at=2", "2/11");
      is("the lesson's own step", await text("#lesson .on"), "step 3 ▶");
      await press("g");
      is("the guards by their key", await page.evaluate(() => document.activeElement.id), "without");
      await page.selectOption("#without", "one_vote_a_term");
      is("letters are keys again once a guard is chosen", await page.evaluate(() => document.activeElement.tagName), "BODY");
      await on(`#lesson=5&without=one_vote_a_term&do=${start}`, "2/2");
      await press("q");
      await on("#lesson=5&at=2", "2/11");
      // The step that a question stands before is not to be had by another door.
      await open("#lesson=5");
      is("nothing to choose before the guess", await page.locator("#may .act").count(), 0);
      await press("n");
      is("and no way to be searched", await text("#error"), "Guess first: the lesson asks before step 1.");
      await page.evaluate(() => take(lesson.do[0]));
      await page.waitForFunction(() => document.getElementById("error").textContent === "Guess first: the lesson asks before step 1.", null, { timeout: 20000 });
    },
    // Files by a key and a button; the exercise; every key is in the help.
    async keys() {
      const scenario = { name: "one.jsonl", mimeType: "application/json", buffer: fs.readFileSync("traces/scenarios/basic-conf-change.jsonl") };
      const choose = (chooser) => chooser.setFiles(scenario);
      page.on("filechooser", choose);
      for (const how of ["key", "button"]) {
        await open("#scope=grow_and_shrink_smoke");
        await (how === "key" ? press("O") : page.click("#open"));
        await page.waitForFunction(() => Number.parseInt(document.body.dataset.ready) > 100, null, { timeout: 20000 });
        is(`a file is opened by a ${how}`, await page.evaluate(() => link.through), true);
      }
      page.off("filechooser", choose);
      // Within a file that goes on, the scope's own end is no end.
      await open("#exercise=5");
      const { exercise } = JSON.parse(fs.readFileSync("traces/lessons/05-the-leader-of-two-removes-itself.json", "utf8"));
      const answer = (lines) => ({ name: "answer", mimeType: "text/plain", buffer: Buffer.from(lines.join("\n")) });
      const judged = (wanted) => page.waitForFunction((wanted) => new RegExp(wanted).test(document.body.dataset.judged ?? ""), wanted, { timeout: 60000 });
      await chosen(answer(exercise.answer));
      await judged("^solved 3$");
      await press("R");
      await on("#exercise=5", "0/0");
      const wrong = Array(exercise.steps + 1).fill("crash(store:4);restart(store:4)".split(";")).flat().slice(0, exercise.steps + 1);
      await chosen(answer(wrong));
      await judged("^refused$");
      is("more steps than an answer may have", await text("#lesson .limit.bad"), `Step ${exercise.steps + 1}: an answer has at most ${exercise.steps}. Take back (u) or start over (Shift+R).`);
      await press("q");
      await on("#lesson=5&at=11", "11/11");
      await press("e");
      await on("#exercise=5", "0/0");
      await press("L");
      await page.waitForFunction(() => document.getElementById("lesson").hidden, null, { timeout: 20000 });
      await press("?");
      const help = await page.evaluate(() => {
        const told = (language) => WORDS[language].keyhelp.split(" · ").map((line) => line.split(/[:：]/)[0].trim().split(/ (?:or|或) | /)).flat();
        const also = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
        return ["en", "zh"].flatMap((language) => Object.keys(keys).filter((key) => !told(language).includes(also[key] ?? key)).map((key) => `${language} ${key}`));
      });
      is("every key is in the help", help.join(" "), "");
      is("a line a key", await page.locator("#page .keyhelp li").count() > 25, true);
      await press("Escape");
    },
  };
};
