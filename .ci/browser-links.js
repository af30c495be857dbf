// Links and files: what is left out of a link, what a wrong one leaves as it was, what a scope does
// not offer, what a file says, and answers as files.
"use strict";
const fs = require("fs");

module.exports = (page, is, { open, becomes, text, drop }) => {
  const hash = () => page.evaluate(() => location.hash);
  const press = (key) => page.keyboard.press(key);
  const says = async (what, wanted) => {
    await page.waitForFunction((wanted) => document.getElementById("error").textContent === wanted, wanted, { timeout: 20000 }).catch(() => {});
    is(what, await text("#error"), wanted);
  };
  const language = (to) => page.evaluate((to) => localStorage.setItem("language", to), to);
  const scenario = fs.readFileSync("traces/scenarios/basic-conf-change.jsonl", "utf8");
  const saved = async () => {
    const [download] = await Promise.all([page.waitForEvent("download"), press("s")]);
    return fs.readFileSync(await download.path(), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  };
  return {
    // A link without a scope is read in the served one; what stands beside an exhibit or a lesson
    // is taken or named.
    async unscoped() {
      const served = "three_voters_to_one_smoke", read = `The link names no scope. It is read in ${served}, with which this server was started.`;
      for (const [fragment, link, wanted] of [["#without=one_vote_a_term", `#scope=${served}&without=one_vote_a_term`, read],
        ["#do=campaign(region:1,store:2)", `#scope=${served}&do=campaign(region:1,store:2)`, read], ["#side=impl", `#scope=${served}&side=impl`, read],
        ["#at=3", `#scope=${served}`, "The link asks for step 3 and has 0; step 0 is shown."], ["", `#scope=${served}`, ""],
        ["#lesson=5&without=one_vote_a_term", "#lesson=5", "The link has without=one_vote_a_term, which is left out: lesson=5 has its own."],
        ["#exercise=5&scope=nosuch", "#exercise=5", "The link has scope=nosuch, which is left out: exercise=5 has its own."]]) {
        await open(fragment);
        await says(`what ${fragment} says`, wanted);
        is(`${fragment} as a whole link`, await hash(), link);
      }
      await open("#exhibit=stale_report_refused&without=&side=impl&at=5");
      is("an exhibit by other rules, at a step, beside raft-rs", await hash(), /^#scope=late_report_and_late_order_smoke&side=impl&at=5&do=.*&through$/);
    },
    // A wrong scope leaves the box, the lesson and the exercise as they were.
    async kept() {
      const unknown = "unknown scope `nosuch`; Find (/) lists them all";
      await open("#scope=three_voters_to_one_smoke");
      await press("o");
      await page.fill("#scope", "nosuch");
      await press("Enter");
      await says("a wrong scope in the box", unknown);
      is("the box has what is shown", await page.inputValue("#scope"), "three_voters_to_one_smoke");
      await page.fill("#scope", "half a na");
      await press("Escape");
      is("Escape gives it up", await page.inputValue("#scope"), "three_voters_to_one_smoke");
      for (const [fragment, has] of [["#lesson=5&at=2", /^5\. The leader of two removes itself/], ["#exercise=5&do=crash(store:1)", /^Exercise of lesson 5/]]) {
        await open(fragment);
        await page.evaluate(() => { location.hash = "#scope=nosuch"; });
        await says(`${fragment}: a wrong scope`, unknown);
        is(`${fragment}: the link stays`, await hash(), fragment);
        is(`${fragment}: the box stays`, await page.isVisible("#lesson"), true);
        is(`${fragment}: with what it said`, await text("#lesson"), has);
        await page.waitForFunction(() => document.body.dataset.heals, null, { timeout: 20000 });
      }
    },
    // A guard is chosen by typing its name.
    async typed() {
      await open("#scope=three_voters_to_one_smoke");
      await press("g");
      await page.keyboard.type("change_waits");
      await press("Enter");
      is("every letter counts", await page.inputValue("#without"), "change_waits_for_own_election");
      await press("i");
      is("after Enter letters are keys again", await page.evaluate(() => document.getElementById("legend").open), true);
    },
    // A lesson may be left anywhere, with the steps so far and no others.
    async left() {
      for (const fragment of ["#lesson=5&at=2", "#lesson=5"]) {
        await open(fragment);
        const [at] = (await page.evaluate(() => document.body.dataset.ready)).split("/");
        await press("L");
        await becomes(`${at}/${at}`);
        is(`${fragment} is left`, await page.isVisible("#lesson"), false);
      }
    },
    // In an exercise the search gives no answer.
    async unaided() {
      await open("#exercise=5");
      await press("n");
      await says("the exercise is the reader's", "The exercise is to find the way yourself. L leaves it; then n searches.");
      is("no steps are taken", await hash(), "#exercise=5");
    },
    // What the scope does not offer stands in the second list, and may be taken from there. A late
    // message is grouped by its receiver.
    async withheld() {
      const crash = "#maynot .not[data-name='crash(store:1)']", again = "#scope=three_voters_to_one_smoke&do=crash(store:1);restart(store:1)";
      for (const [to, reason] of [["en", "this scope does not offer it: Its budget `crashes` is spent (1 of 1)."], ["zh", "这个 scope 不提供它：它的预算 `crashes` 用完了（1 次里用了 1 次）。"]]) {
        await language(to);
        await open(again);
        await press("x");
        await page.waitForSelector(crash);
        is(`a second crash in ${to}`, await page.evaluate((of) => {
          let at = document.querySelector(of);
          while (at.tagName !== "H3") at = at.previousElementSibling;
          return at.textContent;
        }, crash), reason);
      }
      await language("en");
      await open(again);
      await press("x");
      await page.click(crash);
      await page.click(".why .beyond");
      await becomes("3/3");
      is("it is taken all the same", await page.locator(".lane.down").count(), 1);
      await open("#scope=three_voters_to_one_smoke");
      await press("x");
      await page.waitForSelector("#maynot .not");
      is("what no command of the scope is", (await page.locator("#maynot h3").allTextContents()).includes("this scope does not offer it: It is not among the scope's commands."), true);
      for (const [link, stands] of [["#scope=old_term_leader_smoke&do=campaign(region:1,store:1);hold(region:1,from:1,to:3,message:vote_request)", "region 1 store 3"],
        ["#scope=late_report_and_late_order_smoke&do=hold(region:1,from:1,to:0,message:region_report)", "region 1 PD"]]) {
        await open(link);
        is("a message under way stands at its receiver", await page.evaluate(() => {
          let at = [...document.querySelectorAll("#may .act")].find((act) => /^late/.test(act.dataset.name));
          while (at.tagName !== "H3") at = at.previousElementSibling;
          return at.textContent;
        }), stands);
      }
      const groups = await page.locator("#may h3").allTextContents();
      is("each group stands once", groups.length, new Set(groups).size);
    },
    // A file's title, source, assumptions and notes are shown, and saved again.
    async notes() {
      await open("#scope=grow_and_shrink_smoke");
      await drop(scenario);
      await page.waitForFunction(() => Number.parseInt(document.body.dataset.ready) > 100, null, { timeout: 20000 });
      await page.evaluate(() => step(0));
      await page.waitForFunction(() => /^0\//.test(document.body.dataset.ready), null, { timeout: 20000 });
      is("what a file says of itself", await text("#story"), /TestBasicConfChange3B: five voters.*from TinyKV kv\/test_raftstore.*assumed: Store 1 is elected first/);
      await press("l");
      await page.waitForFunction(() => /^1\//.test(document.body.dataset.ready), null, { timeout: 20000 });
      is("a step's note", await text("#story .note"), "store 1 is to lead");
      // A timeline of many steps is scrolled to the current one, by key and by slider.
      const seen = () => page.evaluate(() => {
        const [dot, tree] = [document.querySelector("#tree .here"), document.getElementById("tree")].map((one) => one.getBoundingClientRect());
        return dot.left >= tree.left && dot.right <= tree.right && dot.bottom <= innerHeight;
      });
      is("the first step is in view", await seen(), true);
      await page.evaluate(() => step(link.do.length));
      await page.waitForFunction(() => /^(\d+)\/\1$/.test(document.body.dataset.ready), null, { timeout: 20000 });
      is("the last one, too", await seen(), true);
      is("there are more than fit", await page.evaluate(() => document.getElementById("tree").scrollWidth > innerWidth + 500), true);
      const whole = await saved(), own = scenario.trim().split("\n").map((line) => JSON.parse(line));
      is("the notes are saved", whole.filter((line) => line.note).map((line) => line.note).join("|"), own.filter((line) => line.note).map((line) => line.note).join("|"));
      for (const of of ["title", "source", "assumptions"]) is(`so is its ${of}`, JSON.stringify(whole[0][of]), JSON.stringify(own[0][of]));
      await drop(whole.map((line) => JSON.stringify(line)).join("\n"));
      await page.waitForFunction(() => document.body.dataset.drawn === String(mark), null, { timeout: 20000 });
      is("and it is opened again", await text("#error"), "");
      await drop(scenario.replace('"without":[]', '"without":["one_vote_a_tern"]'));
      await says("a guard that nobody has", "The file drops a guard that this page cannot drop: unknown guard `one_vote_a_tern`; did you mean `one_vote_a_term`? the choice of a guard (g) lists them all.");
      is("the file is shown all the same", await page.evaluate(() => shown.steps.length > 100), true);
    },
    // What is wrong with a file, an operator's steps and PD's words for a store, in Chinese.
    async chinese() {
      await language("zh");
      await open("#exhibit=no_proposals_while_transferring");
      await page.evaluate(() => step(shown.steps.findIndex((taken) => taken.changes.some((change) => /operator/.test(change))) + 1));
      await page.waitForFunction(() => /operator/.test(document.querySelector("#pd").textContent) && document.body.dataset.drawn === String(mark), null, { timeout: 20000 });
      is("an operator's steps", await text("#pd"), /▸加 learner 10@3 → /);
      is("PD's stores", await text("#pd"), /store 2 \w+ · 有心跳/);
      is("no English step", /learner store|enter joint|connected/.test(await text("#pd")), false);
      const changes = "changes:[(kind:add_learner,peer:2,store:2),(kind:add_learner,peer:3,store:3)]";
      await open(`#scope=three_voters_to_one_smoke&do=propose(region:1,store:1,command:enter_joint(${changes}));replicate(region:1,leader:1,follower:2,entries:all);`
        + "apply(region:1,store:1);propose(region:1,store:1,command:leave_joint)");
      is("a change that is not applied", await text("#lanes .appended"), "已追加，未 apply：离开 joint");
      await open("#scope=grow_and_shrink_smoke");
      for (const [file, wanted] of [['{"record":"header","schema":"rollcall-trace/99"}', "文件:1:29：文件的版本是 `rollcall-trace/99`，这里读的是 `rollcall-trace/1`"],
        [scenario.slice(0, 2000), "文件:8:9：文件被截断：最后一行不完整；请重新录制或复制"]]) {
        await page.evaluate(() => say(""));
        await drop(file);
        await says("what is wrong with a file", wanted);
      }
      await language("en");
    },
    // A link may name its language, as a trace's file does; a copied one does from a Chinese page.
    async spoken() {
      const spoken = () => page.evaluate(() => document.documentElement.lang);
      // Without a right to the clipboard the page shows the link that it would have copied.
      const copied = async (wanted) => {
        await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { configurable: true, value: { writeText: async () => { throw new Error("refused"); } } }));
        await press("y");
        await page.waitForFunction((wanted) => document.getElementById("error").textContent.endsWith(wanted), wanted, { timeout: 20000 }).catch(() => {});
        is("the copied link", (await text("#error")).split("#")[1], wanted);
      };
      for (const fragment of ["scope=three_voters_to_one_smoke", "lesson=5", "exercise=5"]) {
        await open(`#${fragment}&lang=zh`);
        is(`#${fragment}&lang=zh in Chinese`, await spoken(), "zh");
        is(`#${fragment}&lang=zh says nothing`, await text("#error"), "");
        await copied(`${fragment}&lang=zh`);
        await open(`#${fragment}&lang=en`);
        is(`#${fragment}&lang=en in English`, await spoken(), "en");
        await copied(fragment);
      }
      await open("#scope=three_voters_to_one_smoke&lang=fr");
      await says("a language that nobody translated", "The link has lang=fr, which means nothing here. To open a file, press O or drop it on the page.");
    },
    // Answers as the terminal takes them; what can never become right is told so.
    async answers() {
      const { exercise } = JSON.parse(fs.readFileSync("traces/lessons/05-the-leader-of-two-removes-itself.json", "utf8"));
      const judged = (wanted) => page.waitForFunction((wanted) => document.body.dataset.judged === wanted, wanted, { timeout: 60000 });
      await open("#exercise=5");
      for (const name of exercise.answer) {
        const action = await page.evaluate((name) => [...document.querySelectorAll("#may .act")].map((act) => act.dataset.name).includes(name), name);
        is(`${name} is offered`, action, true);
        await page.evaluate((name) => take(name), name);
        await page.waitForFunction((name) => link.do.at(-1) === name && document.body.dataset.drawn === String(mark), name, { timeout: 20000 });
      }
      const lines = (await saved()).filter((line) => line.record === "step").map((line) => JSON.stringify(line.action));
      await open("#exercise=5");
      await drop(`# an answer\n${lines.join("\n")}\n`);
      await judged("solved 3");
      await drop(lines.join("\n").replace('"store"', '"shop"'));
      await page.waitForFunction(() => document.getElementById("error").textContent, null, { timeout: 20000 });
      is("its line is named", await text("#error"), /^line 1: /);
      for (const [steps, because] of [["apply_snapshot(region:1,store:3)", /^✘ No answer: step 1, `ApplySnapshot region 1: store 3`, is refused: no_snapshot/],
        ["lose_disk(store:4)", /^✘ No answer: step 1, .*, is not within one_of_four_goes_smoke/], ["crash(store:1);restart(store:1);crash(store:1);restart(store:1)", /^✘ No answer: /]]) {
        await open(`#exercise=5&do=${steps}`);
        await judged("refused");
        is(`${steps} can never become right`, await text("#lesson .judged"), because);
      }
      await open(`#exercise=5&do=${exercise.answer[0]}`);
      await judged("open");
      is("what may become right is not yet", await text("#lesson .judged"), /^… Not yet: the goal is not reached/);
      await press("L");
    },
    // What is found is offered once.
    async found() {
      for (const words of ["no leader", "two leaders", "request timeout", "split"]) {
        await open("#scope=three_voters_to_one_smoke");
        await press("/");
        await page.fill("#seen", words);
        await page.waitForFunction((words) => document.querySelector("#found")?.dataset.words === words, words, { timeout: 20000 });
        const lines = await page.locator("#found .line").allTextContents();
        is(`${words}: something is found`, lines.length > 5, true);
        is(`${words}: nothing twice`, lines.length - new Set(lines).size, 0);
        await press("Escape");
      }
    },
  };
};
