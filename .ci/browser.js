// The explorer in a real browser: `.ci/browser` runs it with the page's address.
"use strict";
const { chromium } = require("playwright-core");

const [, , address, pictures] = process.argv;
let asked = 0;
function is(what, found, wanted) {
  asked += 1;
  const good = wanted instanceof RegExp ? wanted.test(found) : found === wanted;
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
  const picture = async (name) => { if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` }); };

  // A scope: step, undo, redo, keys.
  let begun = Date.now();
  await open("#scope=three_voters_to_one_smoke");
  console.log(`loaded in ${Date.now() - begun} ms`);
  await becomes("0/0");
  begun = Date.now();
  await page.click("#may .act");
  await becomes("1/1");
  console.log(`a step took ${Date.now() - begun} ms`);
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
  await page.click("#refusals summary");
  await page.click("#maynot .not");
  await page.waitForSelector(".why");

  // An exhibit: two leaders, the way back to where it was sound, the second column.
  await open("#exhibit=campaign_applies_first-election_safety");
  await becomes("11/11");
  is("the verdicts", await text("#verdicts"), /election_safety/);
  is("two leaders", await page.locator(".peer.leader").count(), 2);
  await page.keyboard.press("V");
  await becomes(await ready());
  await page.keyboard.press("w");
  await page.waitForFunction(() => document.body.dataset.beside === "parted 10", null, { timeout: 20000 });
  is("where they part", await text("#parted"), /step 10/);
  await picture("beside");
  await page.keyboard.press("r");
  await page.waitForFunction(() => document.body.dataset.beside === "same", null, { timeout: 20000 });
  await picture("explorer");

  // PD beside the truth, and a state that does not heal.
  await open("#exhibit=stale_report_refused");
  await becomes("6/6");
  is("a stale belief", await page.locator(".stale").count() > 0, true);
  await open("#exhibit=demote_before_removal");
  await page.waitForFunction(() => document.body.dataset.heals === "stuck", null, { timeout: 20000 });

  // A file that is dropped, and saved again.
  const saved = await page.evaluate(async () => {
    const text = await (await fetch(`/api/save?${query()}`)).text();
    await openText(text);
    return text;
  });
  is("the saved scenario", saved, /"record":"header"/);
  is("no complaint", complaints.join("\n"), "");

  // Wrong links are answered in a sentence; the browser notes the answer's code.
  await open("#scope=three_voters_to_one_smoke&do=campaign(region:1,store:2);crash(store:2)");
  is("where it stops", await text("#error"), /Step 2 is refused: Crash store 2|^$/);
  await open("#scope=three_voters_to_one_smoke&do=campaign(region:1,store:2);apply_snapshot(region:1,store:3)");
  is("where it stops", await text("#error"), /Step 2 is refused: ApplySnapshot/);
  is("the state before is shown", await page.locator(".peer.candidate").count(), 1);
  for (const [fragment, says] of [["#scope=nowhere", /unknown scope/], ["#lesson=77", /no lesson 77/],
    ["#exhibit=nothing", /no exhibit/], ["#scope=grow_and_shrink_smoke&do=explode", /action 1/],
    ["#scope=grow_and_shrink_smoke&without=nothing", /unknown guard/]]) {
    await page.goto("about:blank");
    await page.goto(`${address}${fragment}`);
    await page.waitForFunction(() => document.getElementById("error").textContent, null, { timeout: 20000 });
    is(fragment, await text("#error"), says);
  }
  complaints.length = 0;

  // Every lesson to its end by clicks; every wrong guess shows its branch.
  for (const [lang, switched] of [["en", false], ["zh", true]]) {
    if (switched) await page.evaluate(() => localStorage.setItem("language", "zh"));
    for (let number = 1; number <= 12; number++) {
      await open(`#lesson=${number}`);
      let clicks = 0;
      for (; clicks < 80 && await page.locator("#lesson .done").count() === 0; clicks++) {
        const before = await page.evaluate(() => document.getElementById("lesson").innerHTML);
        if (await page.locator("#lesson button.branch").count() > 0 && clicks % 2 === 0) {
          await page.click("#lesson button.branch");
          await page.waitForSelector("#lesson .back");
          if (number === 5 && lang === "en") await picture("branch");
          await page.click("#lesson .back");
        }
        const choices = page.locator("#lesson .choice");
        if (await choices.count() > 0) await choices.nth(clicks % await choices.count()).click();
        else if (await page.locator("#lesson .on").count() > 0) await page.click("#lesson .on");
        await page.waitForFunction((before) => document.getElementById("lesson").innerHTML !== before, before, { timeout: 20000 });
      }
      is(`lesson ${number} (${lang}) comes to its end`, await page.locator("#lesson .done").count(), 1);
      if (number === 5) await picture(`lesson-${lang}`);
      await page.click("#lesson .try");
      await page.waitForFunction(() => /\/0$/.test(document.body.dataset.ready), null, { timeout: 20000 });
    }
  }
  is("no complaint", complaints.join("\n"), "");
  await browser.close();
  console.log(`explorer: ${asked} passed, 0 failed`);
}

main().catch((error) => { console.error(error.stack); process.exit(1); });
