// Export jobs: what was begun, how far it is, and where to fetch it.

import { address, ask, BASE, backoff, session } from "./api";
import { remember, remembered, Store } from "./store";
import type { ExportJob } from "./types";

export const jobs = new Store<readonly ExportJob[]>([]);
const streams = new Map<string, EventSource>();
const tries = new Map<string, number>();

const memory = (): string => `exports.${session.value?.user.name ?? ""}`;

function known(): string[] {
  const list = remembered(memory());
  return Array.isArray(list) ? list.filter((id): id is string => typeof id === "string") : [];
}

const path = (id: string): string => `/exports/${encodeURIComponent(id)}`;

export const exportFile = (id: string): string => `${BASE}${path(id)}/file`;

function put(job: ExportJob): void {
  jobs.update((all) =>
    all.some((other) => other.id === job.id)
      ? all.map((other) => (other.id === job.id ? { ...other, ...job } : other))
      : [job, ...all],
  );
  if (job.state !== "running") {
    streams.get(job.id)?.close();
    streams.delete(job.id);
  }
}

/** Begins an export of some recordings, or of all that a search finds. */
export async function begin(
  what: { ids: string[] } | { query: Record<string, unknown> },
): Promise<string> {
  const { id } = await ask<{ id: string }>("/exports", { method: "POST", body: what });
  remember(memory(), [id, ...known()].slice(0, 50));
  put({ id, state: "running", done: 0, total: 0, bytes: 0, message: null, made_at: Date.now() });
  follow(id);
  return id;
}

/** Finds the jobs of this person: the server's list, and what this browser remembers. */
export async function findJobs(): Promise<void> {
  try {
    const { exports } = await ask<{ exports: ExportJob[] }>("/exports");
    jobs.set(exports);
  } catch {
    const ids = known();
    const answers = await Promise.allSettled(ids.map((id) => ask<ExportJob>(path(id))));
    const left: string[] = [];
    answers.forEach((answer, index) => {
      if (answer.status === "rejected") return;
      put(answer.value);
      left.push(ids[index] ?? answer.value.id);
    });
    remember(memory(), left);
  }
  for (const job of jobs.value) if (job.state === "running") follow(job.id);
}

export function follow(id: string): void {
  if (streams.has(id)) return;
  const stream = new EventSource(`${BASE}${path(id)}/events`);
  streams.set(id, stream);
  stream.addEventListener("progress", (event: MessageEvent<string>) => {
    tries.delete(id);
    put({ ...(JSON.parse(event.data) as ExportJob), id });
  });
  stream.addEventListener("error", () => {
    stream.close();
    streams.delete(id);
    const turn = tries.get(id) ?? 0;
    tries.set(id, turn + 1);
    setTimeout(() => void look(id), backoff(turn));
  });
}

/** The stream broke: asks how the job is, and follows it again if it goes on. */
async function look(id: string): Promise<void> {
  try {
    const job = await ask<ExportJob>(path(id));
    put({ ...job, id });
    if (job.state === "running") follow(id);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const before = jobs.value.find((job) => job.id === id);
    if (before && (tries.get(id) ?? 0) > 8) put({ ...before, state: "failed", message });
    else if (before) {
      tries.set(id, (tries.get(id) ?? 0) + 1);
      setTimeout(() => void look(id), backoff(tries.get(id) ?? 0));
    }
  }
}

export async function cancel(id: string): Promise<void> {
  await ask(path(id), { method: "DELETE" });
  const before = jobs.value.find((job) => job.id === id);
  if (before) put({ ...before, state: "cancelled" });
}

export const exportQuery = (filters: object): Record<string, unknown> =>
  Object.fromEntries(new URLSearchParams(address("", { ...filters }).slice(1)));

export function forgetJobs(): void {
  for (const stream of streams.values()) stream.close();
  streams.clear();
  tries.clear();
  jobs.set([]);
}
