// Ways through the page: the filter, Find without a word, the first and the last state, the second
// column's own marks, what is not denied.
"use strict";

module.exports = (page, is, { open, becomes, text }) => {
  const press = (key) => page.keyboard.press(key);
  const settled = () => page.waitForFunction(() => document.body.dataset.drawn === String(mark), null, { timeout: 20000 });
  const says = async (what, wanted) => {
    await page.waitForFunction((wanted) => new RegExp(wanted).test(document.getElementById("error").textContent), wanted, { timeout: 20000 }).catch(() => {});
    is(what, await text("#error"), new RegExp(wanted));
  };
  return {
    // Enter takes what fits, and the filter ends with it; what it hides is counted.
    async filter() {
      await open("#scope=three_voters_to_one_smoke");
      await press("x");
      await page.waitForFunction(() => Number(document.body.dataset.refused) > 0, null, { timeout: 20000 });
      const all = Number(await page.evaluate(() => document.body.dataset.refused));
      is("a refusal says its region as everything does", await text("#maynot .not"), /^\w+ region 1: /);
      await press("f");
      await page.keyboard.type("crash");
      await page.waitForFunction(() => / of /.test(document.getElementById("howmany").textContent), null, { timeout: 20000 });
      is("what the filter hides is counted", await text("#howmany"), new RegExp(`^ \\(\\d+ of ${all}\\)$`));
      await press("Enter");
      await becomes("1/1");
      is("Enter takes what fits", await page.evaluate(() => link.do.join()), "crash(store:1)");
      is("the filter ends", await page.inputValue("#find"), "");
      is("letters are keys again", await page.evaluate(() => document.activeElement.tagName), "BODY");
      await press("f");
      await page.keyboard.type("no such thing");
      is("nothing fits", await text("#may"), /^None of the \d+ that may happen fits the filter/);
      await press("Enter");
      await becomes("1/1");
      await press("Escape");
      is("Escape empties it", await page.locator("#may .act").count() > 0 && await page.inputValue("#find") === "", true);
      // Of two that fit the second, by the arrow.
      await press("f");
      await page.keyboard.type("store");
      await press("ArrowDown");
      await press("ArrowDown");
      const second = await page.evaluate(() => document.querySelectorAll("#may .act")[1].dataset.name);
      await press("Enter");
      await becomes("2/2");
      is("the chosen one is taken", await page.evaluate(() => link.do[1]), second);
    },
    // Who knows no name leafs through all; who knows the words of one finds it.
    async leaf() {
      await open("#scope=three_voters_to_one_smoke");
      await press("/");
      const groups = await page.locator("#found summary").allTextContents();
      is("lessons, scopes, guards, exhibits", groups.join(), /^Lessons \(12\),Scopes \(\d{3}\),Guards \(\d+\),Museum \(\d+\)$/);
      await page.fill("#seen", "one store leaves");
      await page.waitForFunction(() => document.querySelector("#found").dataset.words === "one store leaves", null, { timeout: 20000 });
      is("a name by its words", await page.locator("#found .line").allTextContents(), /(^|,)one_store_leaves(,|$)/);
      await page.fill("#seen", "");
      await page.waitForFunction(() => document.querySelectorAll("#found summary").length === 4, null, { timeout: 20000 });
      await page.click("#found details:nth-child(2) summary");
      await page.click("#found .line:has-text('one_store_leaves_smoke')");
      await page.waitForFunction(() => link.scope === "one_store_leaves_smoke" && document.body.dataset.drawn === String(mark), null, { timeout: 20000 });
      await press("o");
      is("the box of scopes offers all", await page.inputValue("#scope"), "");
      await press("Escape");
      is("and gives the name back", await page.inputValue("#scope"), "one_store_leaves_smoke");
    },
    async ends() {
      await open("#exhibit=commit_own_term");
      const many = (await page.evaluate(() => document.body.dataset.ready)).split("/")[1];
      await press("Home");
      await becomes(`0/${many}`);
      await press("End");
      await becomes(`${many}/${many}`);
      await press("v");
      await says("the violation that is shown is not denied", "^No further state on the tree");
      await open("#lesson=5&at=1");
      await press("End");
      await becomes("10/11");
      is("a lesson ends before the next guess", await text("#error"), "Guess first: the lesson asks before step 11.");
    },
    // Grey is what a step changed in its own column.
    async grey() {
      const grey = () => page.evaluate(() => ["lanes", "others"].map((id) => [...document.querySelectorAll(`#${id} .peer`)].filter((one) => one.classList.contains("changed")).length));
      const beside = (wanted) => page.waitForFunction((wanted) => document.body.dataset.beside === wanted, wanted, { timeout: 20000 });
      await open("#exhibit=commit_own_term&side=sound&at=5");
      await beside("same");
      const [left, right] = await grey();
      is("both columns took the step", left > 0 && left === right, true);
      await open("#exhibit=campaign_applies_first-election_safety&side=model&at=10");
      await beside("parted 10");
      is("a refused step marks nothing", (await grey()).join(), "1,0");
      await page.evaluate(() => localStorage.setItem("language", "zh"));
      await open("#exhibit=campaign_applies_first-election_safety&side=model&at=10");
      await beside("parted 10");
      is("where they part, in Chinese", await text("#parted b"), /^第 10 步分道：[^:]*：?[^:.]*。两栏都停在那里。$/);
      await page.evaluate(() => localStorage.setItem("language", "en"));
      await open("#scope=three_voters_to_one_smoke");
      await press("w");
      await beside("same");
      is("equal rules are told to be equal", await text("#parted"), /Both columns go by the same rules/);
      await page.selectOption("#other", "one_vote_a_term");
      await page.waitForFunction(() => link.other === "one_vote_a_term" && /without one_vote_a_term/.test(document.querySelector("#others h3").textContent) && document.body.dataset.beside, null, { timeout: 20000 });
      is("other rules are not", /the same rules/.test(await text("#parted")), false);
    },
    // What is pointed at is asked for before it is taken, and asked for once.
    async ahead() {
      await open("#scope=three_voters_to_one_smoke");
      const asked = [], count = (request) => { if (/api\/state/.test(request.url())) asked.push(request.url()); };
      page.on("request", count);
      await page.hover("#may .act");
      await page.waitForFunction(() => ahead !== null, null, { timeout: 20000 });
      await page.click("#may .act");
      await becomes("1/1");
      await settled();
      page.off("request", count);
      const wanted = asked.filter((url) => new URL(url).searchParams.get("do").split(";").length === 1);
      is("the state is asked for once", wanted.length, 1);
    },
  };
};
