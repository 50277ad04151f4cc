// What goes wrong on the way: sessions that end, tabs that disagree, a network that is gone.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  at,
  facts,
  finish,
  newPage,
  openCall,
  position,
  until,
} from "./rig.mjs";

const SESSION = "/api/supervisor/v1/session";

/** Ends the session behind the page's back: by the interface, as another program would. */
async function endSession(page) {
  const answer = await page.request.get(facts.url + SESSION);
  const { csrf } = await answer.json();
  const headers = { "X-Callreel-CSRF": csrf, Origin: facts.url };
  const ended = await page.request.delete(facts.url + SESSION, { headers });
  assert.ok(ended.ok(), `the session does not end: ${ended.status()}`);
}

test("a session that ends while a call plays asks for the password and goes on there", async () => {
  const page = await at("#/calls");
  await openCall(page, facts.call.id, 20);
  await page.keyboard.press("Space");
  await until("sound that moves", async () => (await position(page)) > 20.3);
  await endSession(page);
  // The browser may have all of the sound: reading it anew is what an hour-long call would do.
  await page.evaluate(() => {
    const audio = document.querySelector("body > audio");
    const at = audio.currentTime;
    audio.src += "#again";
    audio.currentTime = at;
  });
  const dialog = page.getByRole("dialog", { name: "Your session has expired" });
  await dialog.waitFor();
  await dialog.getByLabel("Password").fill(facts.users.admin.password);
  await dialog.getByRole("button", { name: "Go on" }).click();
  await dialog.waitFor({ state: "detached" });
  await until("sound that goes on where it was", async () => {
    const now = await position(page);
    return now > 20.5 && now < 40;
  });
  await finish(page);
});

test("what was being written survives a session that ends", async () => {
  const page = await at("#/calls");
  await openCall(page);
  const word = `kept${Date.now()}`;
  await page.getByLabel("Write a note").fill(word);
  await endSession(page);
  await page.getByRole("button", { name: "Add note" }).click();
  const dialog = page.getByRole("dialog", { name: "Your session has expired" });
  await dialog.getByLabel("Password").fill(facts.users.admin.password);
  await dialog.getByRole("button", { name: "Go on" }).click();
  const note = page.locator(".note", { hasText: word });
  await note.waitFor();
  await note.getByRole("button", { name: "Delete note" }).click();
  await note.waitFor({ state: "detached" });
  await finish(page);
});

test("signing out in one tab signs out the other", async () => {
  const page = await at("#/calls");
  const other = await newPage(page.context());
  await other.goto(`${facts.url}/#/calls`);
  await other.locator(".call-row").first().waitFor();
  await page.locator(".who summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await other.getByRole("button", { name: "Sign in" }).waitFor();
  await finish(page);
});

test("a lost network is told, and the page goes on when it is back", async () => {
  const page = await at("#/calls");
  await page.locator(".call-row").first().waitFor();
  await page.context().setOffline(true);
  await page.getByLabel("Time").selectOption("week");
  await page.getByRole("alert").getByText("does not answer").first().waitFor();
  await page.context().setOffline(false);
  await until(
    "no banner",
    async () => (await page.locator(".banner").count()) === 0,
  );
  await page.locator(".call-row").first().waitFor();
  await finish(page);
});

test("an unknown call and an unknown view say so", async () => {
  const page = await at("#/r/123456789012");
  await page.getByText("There is no such recording").waitFor();
  await page.goto(`${facts.url}/#/nowhere`);
  await page.getByText("There is no such view").waitFor();
  await finish(page);
});

test("nothing of one person is left for the next at the same tab", async () => {
  const page = await at("#/calls?tag=no-such-tag-here");
  await page.getByText("No calls found").waitFor();
  await page.goto(`${facts.url}/#/calls`);
  await page.locator('.call-row[data-index="0"] .pick').click();
  await page.getByText("1 selected").waitFor();
  await page.locator(".who summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  const { name, password } = facts.users.supervisor;
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("grid", { name: "Calls found" }).waitFor();
  assert.equal(await page.getByText("1 selected").count(), 0);
  await finish(page);
});
