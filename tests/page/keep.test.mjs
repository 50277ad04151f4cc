// Keeping calls: holds, tags, exports, and what is deleted while somebody looks at it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, facts, finish, newPage, openCall, until } from "./rig.mjs";

test("a hold is set with a reason, shown, and lifted", async () => {
  const page = await at("#/calls");
  await openCall(page, facts.spare[0]);
  const reason = `claim ${Date.now()}`;
  await page.getByRole("tab", { name: "Keeping" }).click();
  await page.getByRole("button", { name: "Set a hold" }).click();
  const dialog = page.getByRole("dialog", { name: "Set a hold" });
  await dialog.getByLabel("Reason").fill(reason);
  await dialog.getByRole("button", { name: "Set hold" }).click();
  await dialog.waitFor({ state: "detached" });
  const hold = page.locator(".holds li", { hasText: reason });
  await hold.waitFor();
  await page.reload();
  await page.getByRole("tab", { name: "Keeping" }).click();
  await hold.getByRole("button", { name: "Lift" }).click();
  const lift = page.getByRole("dialog", { name: "Lift the hold" });
  await lift.getByLabel("Reason").fill("settled");
  await lift.getByRole("button", { name: "Lift hold" }).click();
  await hold.waitFor({ state: "detached" });
  await finish(page);
});

test("tags are put on and taken off, and searched by", async () => {
  const page = await at("#/calls");
  await openCall(page, facts.spare[0]);
  const tag = `tag-${Date.now()}`;
  await page.getByRole("tab", { name: "Keeping" }).click();
  await page.getByLabel("Tag", { exact: true }).fill(tag);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const chip = page.getByRole("button", { name: new RegExp(tag) });
  await chip.waitFor();
  const finder = await newPage(page.context());
  await finder.goto(`${facts.url}/#/calls?tag=${tag}`);
  await finder.locator(`.call-row[data-id="${facts.spare[0]}"]`).waitFor();
  assert.equal(await finder.locator(".call-row").count(), 1);
  await finder.close();
  await chip.click();
  await chip.waitFor({ state: "detached" });
  await finish(page);
});

test("selected calls become an archive, with progress", async () => {
  const page = await at("#/calls");
  await page.locator(".call-row").first().waitFor();
  await page.locator('.call-row[data-index="0"] .pick').click();
  await page
    .locator('.call-row[data-index="1"] .pick')
    .click({ modifiers: ["Shift"] });
  const bar = page.getByRole("region", { name: "Selected calls" });
  await bar.getByText("2 selected").waitFor();
  await bar.getByRole("button", { name: "Export" }).click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: "Begin export" })
    .click();
  const fetch = page.getByRole("link", { name: "Download archive" }).first();
  await fetch.waitFor();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    fetch.click(),
  ]);
  assert.equal(await download.failure(), null);
  assert.match(download.suggestedFilename(), /\.tar$/);
  await finish(page);
});

test("a call that is deleted while it is open says who deleted it and why", async () => {
  const page = await at("#/calls");
  const id = facts.spare[1];
  await openCall(page, id);
  const other = await newPage(page.context());
  await openCall(other, id);
  await other.getByRole("tab", { name: "Keeping" }).click();
  await other.getByRole("button", { name: "Delete", exact: true }).click();
  const dialog = other.getByRole("dialog", { name: "Delete this recording" });
  await dialog.getByLabel("Reason").fill("asked for by the customer");
  await dialog.getByRole("button", { name: "Delete for good" }).click();
  await other.getByText("This recording was deleted").waitFor();
  // The first tab still shows it, and learns of it with its next step.
  await page.getByRole("tab", { name: "Keeping" }).click();
  await page.getByRole("button", { name: "Set a hold" }).click();
  const hold = page.getByRole("dialog", { name: "Set a hold" });
  await hold.getByLabel("Reason").fill("too late");
  await hold.getByRole("button", { name: "Set hold" }).click();
  await hold.getByRole("alert").waitFor();
  await page.reload();
  const told = page.getByRole("alert");
  await told.getByText("This recording was deleted").waitFor();
  await told.getByText("asked for by the customer").waitFor();
  await told.getByText(facts.users.admin.name).waitFor();
  await until("an address without the call's sound", async () => {
    const answer = await page.request.get(
      `${facts.url}/api/supervisor/v1/recordings/${id}/audio`,
    );
    return answer.status() === 410;
  });
  await finish(page);
});
