// The explorer in a real browser: `.ci/browser` runs it with the page's address and with a
// trace as a page of its own.
"use strict";
const { chromium } = require("playwright-core");

const [, , address, still, pictures] = process.argv;
const fs = require("fs");
let asked = 0;
function is(what, found, wanted) {
  asked += 1;
  const good = wanted instanceof RegExp ? wanted.test(String(found)) : found === wanted;
  if (!good) throw new Error(`${what}: ${JSON.stringify(found)} is not ${wanted}`);
}

async function main() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  const ready = () => page.evaluate(() => document.body.dataset.ready);
  const becomes = async (wanted) => {
    await page.waitForFunction((wanted) => document.body.dataset.ready === wanted, wanted, { timeout: 20000 }).catch(() => {});
    is("the page is at", await ready(), wanted);
  };
  const open = async (fragment) => {
    await page.goto("about:blank");
    await page.goto(`${address}${fragment}`);
    await page.waitForFunction(() => document.body.dataset.ready, null, { timeout: 20000 });
  };
  const text = (selector) => page.textContent(selector);
  const drop = (text) => page.evaluate((text) => {
    const files = new DataTransfer();
    files.items.add(new File([text], "dropped.jsonl"));
    document.dispatchEvent(new DragEvent("drop", { dataTransfer: files, cancelable: true }));
  }, text);
  const picture = async (name) => { if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` }); };

  if (process.env.PICTURE) {
    await page.setViewportSize({ width: 1360, height: 850 });
    await open("#exhibit=campaign_applies_first-election_safety");
    await page.keyboard.press("h");
    await becomes("10/11");
    await page.click("#may .act");
    await becomes("11/11");
    await page.keyboard.press("V");
    await page.waitForFunction(() => document.querySelector("#verdicts .bad") && document.body.dataset.heals, null, { timeout: 20000 });
    await page.screenshot({ path: process.env.PICTURE });
    await page.setViewportSize({ width: 1360, height: 620 });
    await page.goto(`file://${still}#lang=en`);
    await page.waitForFunction(() => document.body.dataset.ready, null, { timeout: 20000 });
    await page.screenshot({ path: process.env.PICTURE.replace("explorer", "still") });
    await browser.close();
    return;
  }

  // A scope: step, undo, redo, keys.
  await open("#scope=three_voters_to_one_smoke");
  await becomes("0/0");
  await page.click("#may .act");
  await becomes("1/1");
  is("the link", await page.evaluate(() => location.hash), /scope=three_voters_to_one_smoke&do=\w+\(/);
  await page.click("#undo");
  await becomes("0/0");
  await page.click("#redo");
  await becomes("1/1");
  await page.keyboard.press("h");
  await becomes("0/1");
  await page.keyboard.press("l");
  await becomes("1/1");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await becomes("2/2");
  await page.goBack();
  await becomes("1/1");
  await page.keyboard.press("z");
  await page.waitForFunction(() => document.documentElement.lang === "zh");
  is("the buttons", await text("#undo"), "撤销");
  await page.keyboard.press("z");

  // Why not, and without the guard that decides.
  await page.waitForFunction(() => document.documentElement.lang === "en" && document.body.dataset.drawn === String(mark), null, { timeout: 20000 });
  await page.keyboard.press("x");
  await page.click("#maynot .not");
  await page.waitForSelector(".why");
  is("a refusal has its reason in words", await text("#maynot h3 span"), /\w+ .*\.$/);
  await page.focus("#may .act");
  is("an effect", await page.locator("#effect li").count() > 0, true);

  const ways = require("./browser-ways.js")(page, is, { open, becomes, text });
  for (const way of ["filter", "leaf", "ends", "grey", "ahead"]) await ways[way]();
  const looks = require("./browser-looks.js")(page, is, { open, becomes, text, drop });
  await looks.sizes();
  await looks.names();
  is("no complaint", complaints.join("\n"), "");

  // An exhibit: two leaders, the way back to where it was sound, the second column.
  await open("#exhibit=campaign_applies_first-election_safety");
  await becomes("11/11");
  is("the verdicts", await text("#verdicts"), /election_safety/);
  is("two leaders", await page.locator(".peer.leader").count(), 2);
  await page.keyboard.press("w");
  await page.waitForFunction(() => document.body.dataset.beside === "parted 10", null, { timeout: 20000 });
  is("where they part", await text("#parted"), /step 10/);
  is("the columns' names", await page.locator("#parted th").allTextContents(), /,model, without campaign_applies_first,model, every guard on$/);
  is("the outcomes in words", await text("#parted tr:nth-child(2)"), /^outcomedonerefused: unapplied_conf_change \(\w.* .*\)$/);
  is("the differences in words", await page.locator("#parted td:first-child").allTextContents(), /store 2, region 1: (commit|role|term|log)/);
  is("no JSON among them", /[{}"]\s*:/.test(await text("#parted")), false);
  await becomes("10/11");
  is("the peers that differ are framed in both columns", await page.locator(".peer.differs").count(), 2);
  // A step further comes back: there it is drawn, and here again.
  const drawn = Number(await page.evaluate(() => document.body.dataset.drawn));
  await page.keyboard.press("l");
  await page.waitForFunction((drawn) => Number(document.body.dataset.drawn) === drawn + 2, drawn, { timeout: 20000 });
  await becomes("10/11");
  await page.waitForFunction(() => document.body.dataset.beside === "parted 10", null, { timeout: 20000 });
  await picture("beside");
  await page.keyboard.press("r");
  await page.waitForFunction(() => document.body.dataset.beside === "same", null, { timeout: 20000 });
  is("raft-rs goes by what it lacks", await text("#others h3"), "raft-rs, without campaign_applies_first");
  await page.keyboard.press("r");

  // Violations on the tree: back to where all was well, forward again, onto another branch.
  await page.keyboard.press("v");
  await becomes("11/11");
  await page.keyboard.press("h");
  await becomes("10/11");
  await page.click("#may .act");
  await becomes("11/11");
  is("a branch hangs below", await page.locator("#tree .branch").count(), 1);
  await page.keyboard.press("V");
  await page.waitForFunction(() => document.querySelector("#verdicts .bad"), null, { timeout: 20000 });
  await becomes("11/11");
  await page.keyboard.press("b");
  await page.waitForFunction(() => !document.querySelector("#verdicts .bad"), null, { timeout: 20000 });

  // A guard without which a region never heals: no property breaks, and a goal is missed.
  await open("#scope=two_voters_to_one_smoke&without=demote_before_removal");
  await page.keyboard.press("n");
  await page.waitForFunction(() => /steps from here to leader_electable/.test(document.getElementById("error").textContent), null, { timeout: 60000 });

  // The shortest way from here, and its end.
  await open("#scope=one_of_two_is_lost_smoke");
  await page.keyboard.press("n");
  await page.waitForFunction(() => /No violation, and no state that does not heal, can be reached.*switch one off/.test(document.getElementById("error").textContent), null, { timeout: 20000 });
  is("that nothing was found is no error", await page.evaluate(() => document.getElementById("error").className), "notice");
  await open("#exhibit=campaign_applies_first-election_safety");
  for (const at of ["10/11", "9/11", "8/11"]) { await page.keyboard.press("h"); await becomes(at); }
  await page.keyboard.press("n");
  await page.waitForFunction(() => /steps from here to/.test(document.getElementById("error").textContent), null, { timeout: 60000 });
  await page.keyboard.press("v");
  await page.waitForFunction(() => document.querySelector("#verdicts .bad"), null, { timeout: 20000 });

  // The same of a property that is chosen.
  await open("#exhibit=campaign_applies_first-election_safety");
  for (const at of ["10/11", "9/11"]) { await page.keyboard.press("h"); await becomes(at); }
  await page.keyboard.press("N");
  is("the choice of a property by its key", await page.evaluate(() => document.activeElement.id), "sought");
  await page.selectOption("#sought", "election_safety");
  await page.click("#nearest");
  await page.waitForFunction(() => /^2 steps from here to election_safety/.test(document.getElementById("error").textContent), null, { timeout: 60000 });

  // Where the model without a guard and raft-rs part.
  await open("#exhibit=commit_own_term");
  await page.keyboard.press("r");
  await page.waitForFunction(() => document.body.dataset.beside === "same", null, { timeout: 20000 });
  await page.keyboard.press("W");
  await page.waitForFunction(() => document.body.dataset.beside === "parted 8", null, { timeout: 20000 });
  is("the link has the column", await page.evaluate(() => location.hash), /&side=sound&at=8&/);
  is("raft-rs as it is", await text("#others h3"), "raft-rs, every guard on");
  is("what they differ in", await page.locator("#parted td:first-child").allTextContents(), /store 1, region 1: commit,/);
  await picture("parted");

  // By symptom.
  await page.keyboard.press("/");
  await page.keyboard.type("meta corruption detected");
  await page.waitForFunction(() => document.querySelector("#found")?.dataset.words === "meta corruption detected", null, { timeout: 20000 });
  is("a guard", await text("#found h3"), "snapshot_updates_ranges");
  is("an exhibit goes by what goes wrong", await text("#found .line:has-text('Museum')"), /Museum: The index is wrong until the store panics/);
  await page.click("#found .line:has-text('Museum')");
  await page.waitForFunction(() => link.without === "snapshot_updates_ranges" && document.body.dataset.drawn === String(mark)
    && document.querySelector("#verdicts .bad"), null, { timeout: 20000 });

  // The timeline, the scope and the healing by hand.
  await page.fill("#scrub", "1");
  await page.waitForFunction(() => /^1\//.test(document.body.dataset.ready), null, { timeout: 20000 });
  await page.keyboard.press("Escape");
  await open("#scope=three_voters_to_one_smoke&do=crash(store:1)");
  await page.waitForFunction(() => document.body.dataset.heals === "heals", null, { timeout: 20000 });
  await page.keyboard.press("t");
  await page.waitForFunction(() => /^2\//.test(document.body.dataset.ready), null, { timeout: 20000 });

  // The same in Chinese.
  await open("#exhibit=campaign_applies_first-election_safety");
  await page.keyboard.press("z");
  await page.waitForFunction(() => /[一-龥]/.test(document.querySelector("#story li")?.textContent ?? ""), null, { timeout: 20000 });
  is("the story", await text("#story h2"), /要票|竞选/);
  is("the verdict", await text("#broken"), /最多一个 peer 当选（region 1：store \d 上的 peer \d 在 term \d+ 当选/);
  await page.keyboard.press("z");
  await page.waitForFunction(() => document.documentElement.lang === "en" && !/[一-龥]/.test(document.querySelector("#story li").textContent), null, { timeout: 20000 });
  await picture("explorer");

  // PD beside the truth, and a state that does not heal.
  await open("#exhibit=stale_report_refused");
  await becomes("6/6");
  is("a stale belief", await page.locator(".stale").count() > 0, true);
  await looks.leaderless();
  await looks.reports();
  await looks.strips();
  await looks.answering();
  await open("#exhibit=demote_before_removal");
  await page.waitForFunction(() => document.body.dataset.heals === "stuck", null, { timeout: 20000 });
  for (const id of ["story", "heals"]) is(`no term of another state in ${id}`, await text(`#${id}`), /leader_electable: region 1: no leader: peer 1 on store 1 is candidate(?! of term)/);
  is("who asks, and who could answer", await text("#quorum"), /store 1: candidate.*✘ needs 2 of \{1@1 2@2\} .*can answer 1 \{1@1\}/);
  await page.keyboard.press("z");
  await page.waitForFunction(() => document.documentElement.lang === "zh" && document.body.dataset.heals === "stuck", null, { timeout: 20000 });
  is("what is missed, in Chinese", await text("#heals"), /leader_electable：region 有能接受写入的 leader（region 1：没有 leader：store 1 上的 peer 1 是 candidate）/);
  await page.keyboard.press("z");
  await page.waitForFunction(() => document.documentElement.lang === "en" && document.body.dataset.heals === "stuck", null, { timeout: 20000 });
  is("a state that is stuck is told so on top", await text("#health"), /does not heal: leader_electable/);
  is("and no mark of the good stands there", /✔/.test(await text("#bar")), false);

  // A file that is dropped, and saved again.
  await open("#scope=three_voters_to_one_smoke&do=campaign(region:1,store:2)");
  const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("s")]);
  const saved = fs.readFileSync(await download.path(), "utf8");
  is("the saved scenario", saved, /"record":"header"/);
  await open("#scope=grow_and_shrink_smoke");
  await drop(saved);
  await becomes("1/1");
  is("the scope of the file", await page.evaluate(() => location.hash), /scope=three_voters_to_one_smoke&do=campaign/);
  // In a file a refused step is a step, and what stands behind it is shown, too.
  await drop(fs.readFileSync("traces/scenarios/basic-conf-change.jsonl", "utf8"));
  await page.waitForFunction(() => /^(\d+)\/\1$/.test(document.body.dataset.ready) && Number.parseInt(document.body.dataset.ready) > 100, null, { timeout: 20000 });
  is("no step is said to end it", await text("#error"), "");
  is("no complaint", complaints.join("\n"), "");

  // A file beyond the limit, which no server answers for.
  await drop(" ".repeat((4 << 20) + 1));
  await page.waitForFunction(() => document.getElementById("error").textContent, null, { timeout: 20000 });
  is("a large file", await text("#error"), "The file is larger than 4 MiB, which is all that the page takes. rollcall replay and rollcall show take larger ones.");
  is("which the server refuses as well", await page.evaluate(async () => {
    const response = await fetch("/api/open?lang=en", { method: "POST", body: " ".repeat((4 << 20) + 1) });
    return `${response.status} ${(await response.json()).error}`;
  }), "413 the file is larger than 4194304 bytes");
  complaints.length = 0;

  // A wrong link of the served scope, and one typed into an open page.
  await open("#scope=three_voters_to_one_smoke&do=campaign(region:1,store:2)");
  await becomes("1/1");
  await page.evaluate(() => { location.hash = "#scope=nosuch"; });
  await page.waitForFunction(() => /nosuch/.test(document.getElementById("error").textContent), null, { timeout: 20000 });
  is("the link stays with what is shown", await page.evaluate(() => location.hash), "#scope=three_voters_to_one_smoke&do=campaign(region:1,store:2)");
  await page.click("#may .act");
  await becomes("2/2");
  await open("#lesson=5");
  await page.evaluate(() => { location.hash = "#lesson=99"; });
  await page.waitForFunction(() => document.getElementById("error").textContent !== "", null, { timeout: 20000 });
  is("a lesson's link stays, too", await page.evaluate(() => location.hash), "#lesson=5");
  const fresh = await page.context().browser().newPage();
  await fresh.goto(`${new URL(page.url()).origin}/#scope=three_voters_to_one_smoke&without=nope`);
  await fresh.waitForFunction(() => document.querySelectorAll("#may .act").length > 0 && /nope/.test(document.getElementById("error").textContent), null, { timeout: 20000 });
  await fresh.keyboard.press("l");
  await fresh.close();

  // Wrong links are answered in a sentence; the browser notes the answer's code.
  await open("#scope=three_voters_to_one_smoke&do=campaign(region:1,store:2);crash(store:2)");
  is("what is allowed is taken", await text("#error"), "");
  await open("#scope=three_voters_to_one_smoke&do=campaign(region:1,store:2);apply_snapshot(region:1,store:3)");
  is("where it stops", await text("#error"), /Step 2 is refused: ApplySnapshot/);
  is("the state before is shown", await page.locator(".peer.candidate").count(), 1);
  await page.click("#may .act");
  await becomes("2/2");
  is("what is chosen takes the place of the refused", await page.evaluate(() => /apply_snapshot/.test(location.hash)), false);
  await looks.wrong();
  const links = require("./browser-links.js")(page, is, { open, becomes, text, drop });
  await links.unscoped();
  await links.kept();
  await links.typed();
  await links.left();
  await links.unaided();
  await open("#scope=grow_and_shrink_smoke");
  await drop('{"record":"header","schema":"rollcall-trace/99"}');
  await page.waitForFunction(() => /rollcall-trace\/99/.test(document.getElementById("error").textContent), null, { timeout: 20000 });
  await page.waitForTimeout(200);
  complaints.length = 0;

  // Without a mouse, and on a lesson's branches.
  const branches = require("./browser-branches.js")(page, is, { open, becomes, text });
  await branches.branch();
  await branches.own();
  await branches.keys();
  await links.withheld();
  await links.notes();
  await links.chinese();
  await links.spoken();
  await links.answers();
  await links.found();
  complaints.length = 0;

  // Every lesson to its end, and its exercise.
  await require("./browser-lessons.js")(page, is, { open, becomes, text, picture }).all();
  is("no complaint", complaints.join("\n"), "");

  await page.evaluate(() => localStorage.setItem("language", "en"));

  // A trace as a file: steps, slider, both languages, and nothing that is asked of anybody.
  await page.goto("about:blank");
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(`file://${still}#at=0&lang=en`);
  const of = (await ready()).split("/")[1];
  is("it has steps", Number(of) > 10, true);
  await page.keyboard.press("l");
  await becomes(`1/${of}`);
  await page.keyboard.press("End");
  await becomes(`${of}/${of}`);
  is("the verdict of its end", await text("#verdicts"), /✘ election_safety/);
  is("what holds, by name", await page.locator("#broken li").count(), 20);
  await page.fill("#scrub", "3");
  await becomes(`3/${of}`);
  await page.click("#next");
  await becomes(`4/${of}`);
  await page.keyboard.press("v");
  await becomes(`${of}/${of}`);
  await page.click("#tree .dot:nth-child(3)");
  await becomes(`2/${of}`);
  const english = await text("#story");
  await page.keyboard.press("z");
  is("the story in Chinese", await text("#story") !== english && /[一-龥]/.test(await text("#story li")), true);
  is("lanes", await page.locator(".lane").count() > 1, true);
  await picture("still");
  await page.keyboard.press("End");
  await becomes(`${of}/${of}`);
  is("the note of its last step in Chinese", await text("#story .note"), /^election_safety：一个 region 的一个 term 里，最多一个 peer 当选（/);
  is("what it begins with in Chinese", await text("#about"), /^从这里开始store 1 2 3.*三个 voter.*关掉的 guard：campaign_applies_first/);
  is("the end is in view", await page.evaluate(() => document.querySelector("#tree .here").getBoundingClientRect().right <= innerWidth), true);
  // Whether each state heals is told, and none is said to be good where it does not.
  is("the state is judged", await text("#health"), /^(♥|✘) /);
  await page.goto(`file://${still.replace("still", "stuck")}#at=20&lang=en`);
  is("a state that is stuck", await text("#health"), "✘ does not heal: leader_electable");
  is("and has no mark of the good", /✔/.test(await text("header")), false);
  is("what is missed", await text("#heals"), /^✘ leader_electable: region 1: no leader/);
  await page.keyboard.press("Home");
  is("the first state heals", await text("#health"), /^♥ /);
  is("and is good", await text("#verdicts"), /^✔ 22 of 22/);
  await page.goto(`file://${still.replace("still", "foreign")}#at=3&lang=en`);
  is("a state that nobody judged", await text("#health"), "healing is not judged here");
  is("why", await text("#heals"), /^The model shows another state than this file behind step 0/);
  is("it is not said to be good", /✔/.test(await text("header")), false);
  await page.keyboard.press("z");
  is("the same in Chinese", await text("#health"), "这里没有判断能否恢复");
  is("nothing comes from elsewhere", requests.filter((url) => !/^(file|data|about):/.test(url)).join(" "), "");
  is("no complaint", complaints.join("\n"), "");

  await timings(page, becomes, open);
  await ends(page, text);
  await browser.close();
  console.log(`explorer: ${asked} passed, 0 failed`);
}

// How long the largest standard scope takes: to open, and a step by a key, of which the
// page says what it waited for and what it drew. Told, not asserted: the machine may be busy.
async function timings(page, becomes, open) {
  // Who steps on waits for no healing: of ten quick steps the last one's alone is asked for.
  await open("#exhibit=demote_before_removal");
  await page.waitForFunction(() => document.body.dataset.heals, null, { timeout: 20000 });
  const healings = [], asked = (request) => { if (/api\/heals/.test(request.url())) healings.push(request.url()); };
  page.on("request", asked);
  await page.evaluate(() => { for (let step = 0; step < 10; step++) document.getElementById("previous").click(); });
  await page.waitForFunction(() => document.body.dataset.drawn === String(mark) && document.body.dataset.heals, null, { timeout: 20000 });
  page.off("request", asked);
  is("no step is lost", await page.evaluate(() => document.body.dataset.ready), "17/27");
  is("healings asked for on the way", healings.length, 1);
  const begun = Date.now();
  await open("#scope=two_of_five_die_unnoticed");
  console.log(`two_of_five_die_unnoticed: loaded in ${Date.now() - begun} ms`);
  const took = [];
  for (let step = 1; step <= 12; step++) {
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await becomes(`${step}/${step}`);
    took.push(await page.evaluate(() => {
      const entry = performance.getEntriesByType("resource").filter((one) => /api\/state/.test(one.name)).at(-1);
      const [asked, drawn] = document.body.dataset.took.match(/[\d.]+/g).map(Number);
      return { asked, drawn, server: entry.serverTiming.find((one) => one.name === "handler")?.duration ?? 0, bytes: entry.encodedBodySize };
    }));
  }
  const middle = (of) => took.map((one) => one[of]).sort((a, b) => a - b)[took.length >> 1];
  const whole = took.map((one) => one.asked + one.drawn);
  console.log(`a step at most: ${Math.max(...whole).toFixed(1)} ms of ${took.length}`);
  console.log(`a step: ${(middle("asked") + middle("drawn")).toFixed(1)} ms (handler ${middle("server").toFixed(1)} ms, asked ${middle("asked").toFixed(1)} ms, drawn ${middle("drawn").toFixed(1)} ms, ${middle("bytes")} bytes)`);
  is("a state is small", middle("bytes") < 40000, true);
}

// A page that is left open while the server ends says so in a sentence.
async function ends(page, text) {
  process.kill(Number(process.env.SERVER));
  await page.waitForTimeout(1000);
  await page.keyboard.press("h");
  await page.waitForFunction(() => /server has ended/.test(document.getElementById("error").textContent), null, { timeout: 20000 });
  const says = `The server has ended. Start it again with: rollcall explore three_voters_to_one_smoke --port ${new URL(address).port}. This page keeps its link.`;
  is("it says what to do, with the same port", await text("#error"), says);
  await page.evaluate(() => say(""));
  await page.keyboard.press("s");
  await page.waitForFunction(() => document.getElementById("error").textContent, null, { timeout: 20000 });
  is("saving says the same", await text("#error"), says);
  is("and leaves the page where it is", await page.evaluate(() => typeof fragment), "function");
}

main().catch((error) => { console.error(error.stack); process.exit(1); });
