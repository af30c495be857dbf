// Every lesson to its end by clicks, in both languages; what its timeline tells before the
// guess; its exercise, by clicks and by files.
"use strict";
const fs = require("fs");

module.exports = (page, is, { open, becomes, text, picture }) => {
  async function walked(number, language) {
    await open(`#lesson=${number}`);
    is(`lesson ${number} (${language}): the link does not tell its steps`, await page.evaluate(() => location.hash), `#lesson=${number}`);
    let clicks = 0, asked = 0;
    for (; clicks < 80 && await page.locator("#lesson .done").count() === 0; clicks++) {
      const before = await page.evaluate(() => document.getElementById("lesson").innerHTML);
      if (await page.locator("#lesson button.branch").count() > 0 && clicks % 2 === 0) {
        await page.click("#lesson button.branch");
        await page.waitForSelector("#lesson .back");
        if (number === 5 && language === "en") await picture("branch");
        await page.click("#lesson .back");
        await page.waitForFunction(() => !document.querySelector("#lesson .back") && document.body.dataset.drawn === String(mark), null, { timeout: 20000 });
      }
      const choices = page.locator("#lesson .choice");
      if (await choices.count() > 0) {
        asked += 1;
        await silent(number, language);
        await choices.nth(clicks % await choices.count()).click();
      } else if (await page.locator("#lesson .on").count() > 0) await page.click("#lesson .on");
      await page.waitForFunction((before) => document.getElementById("lesson").innerHTML !== before, before, { timeout: 20000 });
      if (await choices.count() === 0) is(`lesson ${number}: the verdicts are back`, await text("#verdicts"), /\d/);
    }
    is(`lesson ${number} (${language}) comes to its end`, await page.locator("#lesson .done").count(), 1);
    is(`lesson ${number} (${language}) asks`, asked > 0, true);
    is(`lesson ${number} (${language}) names the terminal's judge`, await text("#lesson"), new RegExp(`rollcall learn ${number} --answer FILE`));
    is(`lesson ${number} (${language}) has claims`, await page.locator("#lesson li").count() > 0, true);
    if (number === 5) await picture(`lesson-${language}`);
  }
  // Before a guess neither the timeline nor a key tells what comes.
  async function silent(number, language) {
    await page.waitForFunction(() => document.body.dataset.drawn === String(mark), null, { timeout: 20000 });
    // What would answer the question: verdicts, healing, quorums, effects, refusals.
    const untold = language === "en" ? "Told after the guess." : "猜过之后再说。";
    is(`lesson ${number}: no verdict before the guess`, await text("#verdicts"), `? ${untold}`);
    for (const id of ["broken", "quorum", "may"]) is(`lesson ${number}: nothing in ${id}`, await text(`#${id}`), untold);
    for (const id of ["health", "heals", "effect", "maynot"]) is(`lesson ${number}: nothing in ${id}`, await text(`#${id}`), "");
    is(`lesson ${number}: no refusals to be opened`, await page.isVisible("#refusals"), false);
    is(`lesson ${number}: no search`, await page.isVisible("#nearest"), false);
    const ready = await page.evaluate(() => document.body.dataset.ready), at = Number(ready.split("/")[0]);
    is(`lesson ${number}: the timeline ends before the guess`, await page.locator("#tree button.dot").count(), at + 1);
    is(`lesson ${number}: what comes is a question`, await text("#tree .ahead"), "?");
    is(`lesson ${number}: so does the slider`, await page.getAttribute("#scrub", "max"), String(at));
    const drawn = await page.evaluate(() => document.body.dataset.drawn);
    await page.keyboard.press("l");
    await page.waitForFunction((drawn) => document.body.dataset.drawn !== drawn, drawn, { timeout: 20000 });
    is(`lesson ${number}: a step waits for the guess`, await page.evaluate(() => document.body.dataset.ready), ready);
    await page.waitForFunction(() => /\S/.test(document.getElementById("error").textContent), null, { timeout: 20000 });
    is(`lesson ${number}: and says so`, await page.evaluate(() => document.getElementById("error").className), "notice");
  }
  const judged = (wanted) => page.waitForFunction((wanted) => new RegExp(wanted).test(document.body.dataset.judged ?? ""), wanted, { timeout: 60000 });
  const drop = (text) => page.evaluate((text) => {
    const files = new DataTransfer();
    files.items.add(new File([text], "answer"));
    document.dispatchEvent(new DragEvent("drop", { dataTransfer: files, cancelable: true }));
  }, text);
  // The reference answer by clicks, the wrong one as a file: the task stays, the model judges.
  async function tried(number, facts, language) {
    const { answer, wrong, steps } = facts.exercise;
    await page.click("#lesson .try");
    await judged("^begins$");
    await becomes("0/0");
    const task = await text("#lesson p"), limit = (at) => (language === "en" ? `Step ${at} of at most ${steps}` : `第 ${at} 步，最多 ${steps} 步`);
    is(`exercise ${number} (${language}): its limit`, await text("#lesson .limit"), limit(0));
    for (const [at, name] of answer.entries()) {
      const clicked = await page.evaluate((name) => {
        const button = [...document.querySelectorAll("#may .act")].find((act) => act.dataset.name === name);
        button?.click();
        return button !== undefined;
      }, name);
      is(`exercise ${number}: ${name} is offered`, clicked, true);
      await becomes(`${at + 1}/${at + 1}`);
      await judged(at + 1 < answer.length ? "^(open|solved \\d+)$" : "^solved \\d+$");
      is(`exercise ${number}: the task stays in sight`, await text("#lesson p"), task);
      is(`exercise ${number}: and the limit`, await text("#lesson .limit"), limit(at + 1));
    }
    is(`exercise ${number} (${language}) is solved`, await text("#lesson .judged"), language === "en" ? /^✔ Solved in \d+ steps\.$/ : /^✔ \d+ 步，解出来了。$/);
    if (number === 5) await picture(`exercise-${language}`);
    await drop(wrong.answer.join("\n"));
    await page.waitForFunction((many) => location.hash.split(";").length === many || many === 1, wrong.answer.length, { timeout: 20000 });
    await judged("^(open|refused)$");
    const because = await text("#lesson .judged");
    is(`exercise ${number} (${language}): the wrong answer is refused`, because, language === "en" ? new RegExp(wrong.because) : /[一-龥]{3}/);
    is(`exercise ${number} (${language}): a link shows it again`, await page.evaluate(() => location.hash), new RegExp(`^#exercise=${number}&do=`));
    await open(await page.evaluate(() => location.hash));
    await judged("^(open|refused)$");
    is(`exercise ${number} (${language}): it says the same`, await text("#lesson .judged"), because);
    await page.click("#lesson .tolesson");
    await page.waitForSelector("#lesson .done");
  }
  return {
    async all() {
      const folder = "traces/lessons", names = fs.readdirSync(folder).filter((name) => name.endsWith(".json")).sort();
      is("there are twelve lessons", names.length, 12);
      for (const language of ["en", "zh"]) {
        await page.evaluate((language) => localStorage.setItem("language", language), language);
        for (const [at, name] of names.entries()) {
          await walked(at + 1, language);
          await tried(at + 1, JSON.parse(fs.readFileSync(`${folder}/${name}`, "utf8")), language);
        }
      }
    },
  };
};
