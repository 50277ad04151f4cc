// Signing in and finding calls.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, facts, finish, open, signIn, until } from "./rig.mjs";

test("a wrong password is refused in words, the right one opens the list", async () => {
  const page = await open();
  await page.goto(`${facts.url}/`);
  await page.getByLabel("Name", { exact: true }).fill(facts.users.admin.name);
  await page.getByLabel("Password").fill("certainly not this one");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page
    .getByRole("alert")
    .getByText("Name or password is wrong")
    .waitFor();
  await signIn(page);
  await page
    .getByRole("grid", { name: "Calls found" })
    .getByRole("row")
    .first()
    .waitFor();
  await finish(page);
});

test("digits find a number, and the address keeps the search", async () => {
  const page = await at("#/calls");
  await page.getByLabel("Number or words of a note").fill(facts.call.number);
  const row = page.locator(`.call-row[data-id="${facts.call.id}"]`);
  await row.waitFor();
  await until("only rows with the number", async () => {
    const texts = await page.locator(".call-row").allInnerTexts();
    return (
      texts.length > 0 &&
      texts.every((text) => text.includes(facts.call.number))
    );
  });
  assert.match(page.url(), new RegExp(`number=${facts.call.number}`));
  await page.reload();
  await row.waitFor();
  assert.equal(
    await page.getByLabel("Number or words of a note").inputValue(),
    facts.call.number,
  );
  await finish(page);
});

test("what nothing matches says so, and clearing shows all again", async () => {
  const page = await at("#/calls?tag=no-such-tag-here&direction=in");
  await page.getByText("No calls found").waitFor();
  await page.getByRole("button", { name: "Clear all" }).click();
  await page.locator(".call-row").first().waitFor();
  await finish(page);
});

test("the keyboard moves, selects and opens", async () => {
  const page = await at("#/calls");
  await page.locator(".call-row").first().waitFor();
  await page.locator('.call-row[data-index="0"]').focus();
  await page.keyboard.press("ArrowDown");
  await until("the second row's focus", () =>
    page.evaluate(
      () => document.activeElement?.getAttribute("data-index") === "1",
    ),
  );
  await page.keyboard.press("x");
  await page
    .getByRole("region", { name: "Selected calls" })
    .getByText("1 selected")
    .waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("slider", { name: "Position" }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await until("the search field's focus", () =>
    page.evaluate(() => document.activeElement?.id === "search"),
  );
  await finish(page);
});

test("the list goes on as one scrolls, and draws only what is in sight", async (context) => {
  const page = await at("#/calls");
  await page.locator(".call-row").first().waitFor();
  const tall = await page
    .locator(".spacer")
    .evaluate((spacer) => spacer.clientHeight);
  if (tall < 5000) {
    context.skip("this daemon has too few calls to scroll");
    await finish(page);
    return;
  }
  await page
    .locator(".list")
    .evaluate((list) => list.scrollTo(0, list.scrollHeight));
  await until("a taller list", () =>
    page
      .locator(".spacer")
      .evaluate((spacer, before) => spacer.clientHeight > before, tall),
  );
  assert.ok((await page.locator(".call-row").count()) < 60);
  const ids = await page
    .locator(".call-row")
    .evaluateAll((all) => all.map((row) => row.dataset.id));
  assert.equal(new Set(ids).size, ids.length);
  await finish(page);
});
