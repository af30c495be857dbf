// How the page looks and what it says of a state: the header, the legend, names, PD beside
// the truth, wrong links.
"use strict";
const fs = require("fs");

module.exports = (page, is, { open, becomes, text, drop }) => ({
  // The header is one line from 1,280 px on, and nothing sticks out, however long a name is.
  async sizes() {
    const longest = "learner_of_a_child_removed_before_it_is_born_smoke";
    for (const [width, language] of [[1280, "en"], [1280, "zh"], [600, "en"], [600, "zh"]]) {
      await page.setViewportSize({ width, height: 900 });
      await page.evaluate((language) => localStorage.setItem("language", language), language);
      await open(`#scope=${longest}&without=tombstone_needs_conf_ver_advance`);
      const [out, tall, line] = await page.evaluate(() => [document.documentElement.scrollWidth - innerWidth,
        document.querySelector("header").offsetHeight, document.getElementById("undo").offsetHeight]);
      is(`nothing sticks out at ${width} px (${language})`, out <= 0, true);
      if (width === 1280) is(`the header is one line (${language})`, tall < 2 * line, true);
    }
    is("the whole name is there to be read", await page.getAttribute("#scope", "title"), longest);
    await page.setViewportSize({ width: 800, height: 900 });
    await open(`#scope=${longest}`);
    is("at 800 px stores stand beside what may happen", await page.evaluate(() => {
      const box = (id) => document.getElementById(id).getBoundingClientRect();
      return box("middle").left >= box("left").right && box("middle").top === box("left").top && document.documentElement.scrollWidth <= innerWidth;
    }), true);
    await page.setViewportSize({ width: 1280, height: 900 });
    await open("#exercise=12");
    is("a long name stays in the lesson's box", await page.evaluate(() => {
      const box = document.getElementById("lesson");
      return box.scrollWidth <= box.clientWidth;
    }), true);
    await page.setViewportSize({ width: 1400, height: 900 });
    await page.evaluate(() => localStorage.setItem("language", "zh"));
    await open("#scope=three_voters_to_one_smoke");
    is("a scope asks in Chinese", await text("#question"), /^三个 voter 移除两个/);
    is("names keep their spaces", (await page.locator("#may .act").allTextContents()).every((words) => !/[a-z]store/.test(words)), true);
    await page.keyboard.press("/");
    await page.keyboard.type("demote_before");
    await page.waitForSelector("#found .also");
    is("an incident in Chinese", await text("#found .also"), /先降级再移除/);
    await page.keyboard.press("Escape");
    await page.evaluate(() => localStorage.setItem("language", "en"));
  },
  // Verdicts by name, a legend, voters by name, late messages in their own place.
  async names() {
    for (const [name, language] of [["crash_and_election_while_a_store_leaves", "en"], ["two_of_five_die_unnoticed", "zh"]]) {
      await page.setViewportSize({ width: 1280, height: 900 });
      await page.evaluate((language) => localStorage.setItem("language", language), language);
      await open(`#scope=${name}&without=campaign_applies_first`);
      is(`names are whole at 1280 px (${language})`, await page.evaluate(() => ["scope", "without"].every((id) => document.getElementById(id).scrollWidth <= document.getElementById(id).clientWidth)), true);
    }
    await page.evaluate(() => localStorage.setItem("language", "en"));
    await page.setViewportSize({ width: 1400, height: 900 });
    await open("#scope=three_voters_to_one_smoke");
    await page.click("#broken summary");
    is("what holds, by name", await page.locator("#broken li").count(), 22);
    is("and what it says", await text("#broken li"), /^✔ election_safety .*wins the election/);
    await page.keyboard.press("i");
    is("a legend", await page.locator("#marks .cell").count(), 5);
    is("of every mark", await text("#marks"), /≤5.*▲ commit 7 ● applied 6/);
    await page.keyboard.press("x");
    await page.waitForFunction(() => Number(document.body.dataset.refused) > 0, null, { timeout: 20000 });
    is("how many may not", await text("#refusals summary"), `What may not, and why (${await page.evaluate(() => document.body.dataset.refused)})`);
    is("what a guard refuses comes first", await text("#maynot h3"), /− \w+_\w+/);
    is("then what none refuses", await page.locator("#maynot h3").last().locator(".decides").count(), 0);
    await page.keyboard.press("x");
    is("who has answered, by name", await text("#quorum .half"), /needs 2 of \{1@1 2@2 3@3\} · has answered \d \{1@1.*can answer 3 \{1@1 2@2 3@3\}/);
    is("no message is under way", await text("#held"), "No message is under way.");
    await open("#scope=late_report_and_late_order_smoke&do=region_heartbeat(region:1,store:1,reply:delayed)");
    const late = "#scope=old_term_leader_smoke";
    await open(late);
    const delayed = page.locator("#may .act:has-text('delayed'), #may .act:has-text('late')").first();
    for (let tries = 0; tries < 6 && await delayed.count() === 0; tries++) {
      const [at] = (await page.evaluate(() => document.body.dataset.ready)).split("/");
      await page.click("#may .act");
      await becomes(`${Number(at) + 1}/${Number(at) + 1}`);
    }
    const [at] = (await page.evaluate(() => document.body.dataset.ready)).split("/");
    await delayed.click();
    await becomes(`${Number(at) + 1}/${Number(at) + 1}`);
    is("a late message has its place", await page.locator("#middle #held .late").count(), 1);
    await page.click("#held .late button");
    await becomes(`${Number(at) + 2}/${Number(at) + 2}`);
    is("and arrives from there", await page.locator("#held .late").count(), 0);
    is("keys are letters or hexadecimal", await page.evaluate(() => [keyText("6b"), keyText("00ff"), quoted(""), quoted("ff")].join(" ")), 'k 0x00ff "" 0xff');
    await page.keyboard.press("m");
    is("exhibits go by what goes wrong", await page.locator("#page .line b").allTextContents(), /,The second overwrites the first half-way,/);
    const groups = await page.evaluate(() => [...document.querySelectorAll("#page h3")].map((one) => one.firstChild.textContent));
    is("under what they break, in order", groups.length > 10 && groups.slice(0, -1).join() === groups.slice(0, -1).sort().join(), true);
    is("all of them", await page.locator("#page .line").count() > 90, true);
    await page.keyboard.press("Escape");
  },
  // All strips of keys are on one scale, and long keys do not stick out of a narrow page.
  async strips() {
    await open("#exhibit=removed_peer_splits_nothing");
    const edges = await page.evaluate(() => [...document.querySelectorAll("#keys .bar")].map((bar) =>
      [...bar.children].map((part) => Math.round(part.getBoundingClientRect().left)).join()));
    is("strips of keys to be compared", edges.length > 2, true);
    is("a key stands at one place in all of them", new Set(edges).size, 1);
    await page.setViewportSize({ width: 420, height: 900 });
    await drop(fs.readFileSync("traces/scenarios/seed-001-leaderless-region.jsonl", "utf8"));
    await page.waitForFunction(() => shown.notes.about.length && document.body.dataset.drawn === String(mark), null, { timeout: 20000 });
    is("what no region ever had is no hole", await page.locator("#keys .hole").count(), 0);
    is("what a region had is one", await page.evaluate(() => {
      const into = document.createElement("div");
      drawKeys(into, { stores: {} }, [{ start: "", end: "6d" }]);
      return [...into.querySelectorAll(".strip:last-child .part")].map((part) => part.textContent).join();
    }), "hole,—");
    is("long keys stay on the page", await page.evaluate(() => document.documentElement.scrollWidth - innerWidth <= 0), true);
    // A key of TiKV in every place where a key may stand.
    const long = "7480000000000000ff5f728000000000ff0000010000000000fa";
    for (const width of [1280, 480]) {
      await page.setViewportSize({ width, height: 900 });
      await drop(fs.readFileSync("traces/museum/split_ids_fit_members.jsonl", "utf8").replaceAll('"6d"', `"${long}"`));
      await page.waitForFunction((long) => document.getElementById("story").textContent.includes(long) && document.body.dataset.drawn === String(mark), long, { timeout: 20000 });
      is(`a key of TiKV leaves no box at ${width} px`, await page.evaluate(() => [...document.querySelectorAll("main *")]
        .filter((one) => one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline").map((one) => one.id || one.className).join()), "");
    }
    is("the axis goes to infinity, and so does the story", [await text("#keys .scale .end"), /, ∞\)/.test(await text("#story")), /, ""\)/.test(await text("#story"))].join(), "∞,true,false");
    await page.setViewportSize({ width: 1400, height: 900 });
  },
  // Who can answer: nobody an older term, and a peer that its split has yet to create is not lost.
  async answering() {
    const joint = "enter_joint(changes:[(kind:add_learner,peer:2,store:2),(kind:add_learner,peer:3,store:3)])";
    await open(`#scope=three_voters_to_one_smoke&do=campaign(region:1,store:2);vote(region:1,candidate:2,voter:3);propose(region:1,store:1,command:${joint})`);
    await becomes("3/3");
    is("nobody answers a leader of an older term", await text("#quorum"), /store 1: leader, term 6✘ needs 2 of \{1@1 2@2 3@3\} .*can answer 1 \{1@1\}/);
    await open("#scope=split_and_crash_smoke&do=ask_split(region:1,store:1,keys:['6d'],derive:left);replicate(region:1,leader:1,follower:2,entries:all);apply(region:1,store:1)");
    await becomes("3/3");
    is("the child's other peers are not there yet", await text("#quorum"), /region 10, store 1: candidate.*… needs 2 of .*can answer 1 \{11@1\} · not there yet 2 \{12@2 13@3\}/);
  },
  // PD refuses a report that comes late, and the page says why.
  async reports() {
    await open("#exhibit=stale_report_refused");
    await becomes("6/6");
    is("without the guard none is refused", /last report refused/.test(await text("#pd")), false);
    const sound = await page.evaluate(() => location.hash.replace("&without=stale_report_refused", ""));
    await open(sound);
    await becomes("6/6");
    is("why PD refused a late report", await text("#pd"), /last report refused: region_stale: A report.*\./);
    await page.keyboard.press("h");
    await becomes("5/6");
    is("the report before it was taken", /last report refused/.test(await text("#pd")), false);
  },
  // What PD believes is measured by the newest peer where nobody leads.
  async leaderless() {
    await open("#scope=crash_while_a_store_leaves_smoke&do=crash(store:1)");
    is("PD's leader is gone", await text("#pd .field.stale"), /leader: peer 1 ✗ truth: —/);
    is("who might ask, and who could answer", await text("#quorum"), /store 2: if it asks for votes, term \d+✘ needs 2 of \{1@1 2@2\} .*can answer 1 \{2@2\}/);
    await open("#exhibit=stale_report_refused");
    await becomes("6/6");
    const hash = await page.evaluate(() => location.hash.replace("&through", ";crash(store:1)&through"));
    await open(hash);
    await becomes("7/7");
    is("nobody leads", await page.locator(".lane.up .peer.leader").count(), 0);
    is("stale fields are marked all the same", await page.locator("#pd .field.stale").allTextContents(), /epoch: 2·1 ✗ truth: 4·1/);
  },
  // Wrong links are answered in a sentence, over something to look at.
  async wrong() {
    for (const [fragment, says] of [["#scope=nowhere", "unknown scope `nowhere`; Find (/) lists them all"],
      ["#lesson=13", "there is no lesson 13; they are numbered 1 to 12, and Lessons (p) lists them"], ["#lesson=0", /no lesson 0/],
      ["#lesson=abc", /lesson=abc, which is no number/], ["#exercise=99", /no lesson 99/], ["#file=nope", /file=nope, which means nothing here/],
      ["#exhibit=nosuch", "the museum has no exhibit `nosuch`; m lists them all"], ["#exhibit=demote_before_remova", /did you mean `demote_before_removal`\?/],
      ["#scope=grow_and_shrink_smoke&do=explode", /^Step 1, `explode`, cannot be read: no action has this name; the nearest is `\w+`, and the page lists those of this state \(j, x\), and `rollcall actions` lists them all\. The state before it is shown\.$/],
      ["#scope=grow_and_shrink_smoke&do=campaing(region:1,store:1)", /did you mean `campaign`\?/],
      ["#lesson=5&do=crash(store:1);explode", /^Step 2, `explode`, cannot be read/], ["#branch=1b", /branch=1b, which means nothing here/],
      ["#scope=grow_and_shrink_smoke&at=9", /asks for step 9 and has 0; step 0 is shown/], ["#scope=grow_and_shrink_smoke&at=x", /at=x, which is no number/],
      ["#scope=grow_and_shrink_smoke&do=campaign(region:1,store:99)", /Step 1 is refused: .*no such store as 99/],
      ["#scope=grow_and_shrink_smoke&without=nothing", "unknown guard `nothing`; the choice of a guard (g) lists them all"],
      ["#scope=grow_and_shrink_smoke&side=foo", /^there is no second column `foo`/], ["#scope=grow_and_shrink_smoke&side=model&other=nothing", /^unknown guard `nothing`/],
      [`#scope=${"x".repeat(9000)}`, /^unknown scope `x{80}…`; Find/]]) {
      await open(fragment);
      await page.waitForFunction(() => document.getElementById("error").textContent, null, { timeout: 20000 });
      is(fragment, await text("#error"), says);
      is(`${fragment}: there is something to look at`, await page.locator(".lane").count() > 0, true);
      is(`${fragment}: the address has what is shown`, await page.evaluate(() => decodeURIComponent(location.hash) === fragment()), true);
    }
    // The link's own scope, and the state before what cannot be read.
    await open("#scope=three_voters_to_one_smoke&do=campaign(region:1,store:2);explode;crash(store:1)");
    await becomes("1/1");
    is("the link's own scope", await page.inputValue("#scope"), "three_voters_to_one_smoke");
    is("the state before it", await page.locator(".peer.candidate").count(), 1);
    // The same in Chinese.
    await page.evaluate(() => localStorage.setItem("language", "zh"));
    for (const [fragment, says] of [["#scope=nowhere", /^没有叫 `nowhere` 的 scope/], ["#lesson=77", /^没有第 77 课/], ["#exhibit=nothing", /^博物馆里没有展品/],
      ["#scope=grow_and_shrink_smoke&without=nothing", /^没有叫 `nothing` 的 guard/], ["#scope=grow_and_shrink_smoke&do=explode", /^第 1 步 `explode` 读不懂：没有叫这个名字的动作/],
      ["#lesson=5&branch=9z", /^第 5 课没有分支 9z/]]) {
      await open(fragment);
      await page.waitForFunction(() => document.getElementById("error").textContent, null, { timeout: 20000 });
      is(`${fragment} in Chinese`, await text("#error"), says);
    }
    await page.evaluate(() => localStorage.setItem("language", "en"));
  },
});
