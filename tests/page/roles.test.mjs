// What each role sees and may do.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, facts, finish } from "./rig.mjs";

const ALL = ["Calls", "Lines", "Exports", "Audit", "Access", "Health"];

async function views(page) {
  const links = await page
    .getByRole("navigation", { name: "Views" })
    .getByRole("link")
    .all();
  return Promise.all(
    links.map(async (link) => (await link.innerText()).trim()),
  );
}

test("an administrator has every view", async () => {
  const page = await at("#/calls", "admin");
  assert.deepEqual(await views(page), ALL);
  await finish(page);
});

test("a supervisor has no audit trail and no access view", async () => {
  const page = await at("#/calls", "supervisor");
  const seen = await views(page);
  assert.ok(
    seen.includes("Calls") &&
      !seen.includes("Audit") &&
      !seen.includes("Access"),
  );
  await page.goto(`${facts.url}/#/admin/users`);
  await page.getByText("Not for your role").waitFor();
  const { status } = {
    status: (
      await page.request.get(`${facts.url}/api/supervisor/v1/admin/users`)
    ).status(),
  };
  assert.equal(status, 403);
  await finish(page);
});

test("an auditor reads the audit trail and changes nothing", async () => {
  const page = await at("#/audit", "auditor");
  await page.locator(".audit tbody tr").first().waitFor();
  await page.goto(`${facts.url}/#/r/${facts.call.id}`);
  await page.getByRole("tab", { name: "Keeping" }).click();
  await page.getByText("Times", { exact: true }).waitFor();
  for (const name of ["Set a hold", "Delete", "Keep longer", "Add"]) {
    assert.equal(
      await page.getByRole("button", { name, exact: true }).count(),
      0,
      name,
    );
  }
  await page.getByRole("tab", { name: /Notes/ }).click();
  assert.equal(await page.getByLabel("Write a note").count(), 0);
  await finish(page);
});

test("an agent sees no exports, no audit trail and no access view", async () => {
  const page = await at("#/calls", "agent");
  const seen = await views(page);
  for (const view of ["Exports", "Audit", "Access"])
    assert.ok(!seen.includes(view), view);
  await finish(page);
});

test("an administrator adds a user and removes it", async () => {
  const page = await at("#/admin/users", "admin");
  const name = `new${Date.now()}`;
  await page.getByRole("button", { name: "Add user" }).click();
  const dialog = page.getByRole("dialog", { name: "Add user" });
  await dialog.getByLabel("Name", { exact: true }).fill(name);
  await dialog.getByLabel("Role").selectOption("auditor");
  await dialog.getByLabel("Password").fill("a long enough password");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
  const row = page.getByRole("row", { name: new RegExp(name) });
  await row.getByText("Auditor").waitFor();
  await row.getByRole("button", { name: `Remove ${name}` }).click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: "Remove", exact: true })
    .click();
  await row.waitFor({ state: "detached" });
  await finish(page);
});
