// The plain first page: lists recordings and plays them. The key stays in this tab; the <audio>
// element, which cannot send headers, shows a ticket instead (POST /api/v1/auth/ticket).
"use strict";

const at = (id) => document.getElementById(id);
const KEY = "callreel.key";
const PAGE_ROWS = 50;

let cursor = null;
let listing = 0;
let current = null;
let renewed = 0;

const key = () => sessionStorage.getItem(KEY);

class Refused extends Error {
  constructor(status, code, message, requestId) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      ...options,
      cache: "no-store",
      headers: { ...options.headers, "X-API-Key": key() ?? "" },
    });
  } catch {
    const message = "The server cannot be reached. Is callreeld running?";
    throw new Refused(0, "unreachable", message, null);
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) {
    const error = body?.error ?? {};
    const message = error.message ?? `The server answered ${answer.status}.`;
    throw new Refused(answer.status, error.code, message, answer.headers.get("X-Request-Id"));
  }
  return body;
}

function notice(text) {
  at("notice").textContent = text ?? "";
  at("notice").hidden = !text;
}

function tell(error) {
  if (error.status === 401) {
    sessionStorage.removeItem(KEY);
    show();
    notice("The key is not valid (any more). Enter another one.");
    return;
  }
  const id = error.requestId ? ` (request ${error.requestId})` : "";
  notice(`${error.message}${id}`);
}

function show() {
  const known = Boolean(key());
  at("enter").hidden = known;
  at("list").hidden = !known;
  at("leave").hidden = !known;
  if (!known) {
    stop();
    at("rows").replaceChildren();
    at("key").focus();
  }
}

function length(ms) {
  if (ms === null) return "";
  const seconds = Math.round(ms / 1000);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

const STATES = { active: "going on", completed: "finished", absent: "too short", failed: "failed" };

function row(task) {
  const line = document.createElement("tr");
  const cell = (text, name) => {
    const made = line.insertCell();
    made.textContent = text ?? "";
    if (name) made.className = name;
    return made;
  };
  cell(task.started_at ? new Date(task.started_at).toLocaleString() : "");
  cell(task.line);
  cell(task.from);
  cell(task.to);
  cell(length(task.duration_ms), "number");
  cell(STATES[task.status] ?? task.status);
  const last = cell("");
  if (task.audio_url) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Listen";
    button.addEventListener("click", () => play(task, line));
    last.append(button);
  }
  return line;
}

async function list(more) {
  const mine = ++listing;
  const query = new URLSearchParams({ limit: PAGE_ROWS, status: at("status").value });
  if (more && cursor) query.set("cursor", cursor);
  at("more").disabled = true;
  try {
    const page = await ask(`/api/v1/tasks?${query}`);
    if (mine !== listing) return;
    notice(null);
    const rows = page.tasks.map(row);
    if (more) at("rows").append(...rows);
    else at("rows").replaceChildren(...rows);
    cursor = page.next_cursor;
    at("more").hidden = !cursor;
    at("empty").hidden = at("rows").children.length > 0 || Boolean(cursor);
  } catch (error) {
    if (mine === listing) tell(error);
  } finally {
    at("more").disabled = false;
  }
}

async function source(task) {
  const issued = await ask("/api/v1/auth/ticket", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ task_id: task.task_id }),
  });
  const query = new URLSearchParams({ ticket: issued.ticket });
  if (task.status === "active") query.set("live", "1");
  return `${task.audio_url}?${query}`;
}

async function play(task, line) {
  for (const other of at("rows").children) other.removeAttribute("aria-current");
  line.setAttribute("aria-current", "true");
  current = task;
  renewed = 0;
  const when = task.started_at ? new Date(task.started_at).toLocaleString() : task.task_id;
  at("playing").textContent = [when, task.line, task.from, task.to].filter(Boolean).join(" · ");
  at("player").hidden = false;
  try {
    const url = await source(task);
    if (current !== task) return;
    notice(null);
    at("audio").src = url;
    await at("audio").play();
  } catch (error) {
    // The element tells its own errors; a play() that a newer one interrupted is none.
    if (error instanceof Refused) tell(error);
  }
}

function stop() {
  current = null;
  at("audio").removeAttribute("src");
  at("audio").load();
  at("player").hidden = true;
}

// A ticket dies after a long pause: get another and go on where the listener was.
at("audio").addEventListener("error", async () => {
  const task = current;
  const audio = at("audio");
  if (!task || !audio.hasAttribute("src")) return;
  if (audio.error?.code === MediaError.MEDIA_ERR_DECODE) {
    notice("The browser cannot decode this recording.");
    return;
  }
  if (renewed++ > 0) {
    notice("The recording cannot be played. It may be gone, or of a format the browser lacks.");
    return;
  }
  const [position, wasPaused] = [audio.currentTime, audio.paused];
  try {
    const url = await source(task);
    if (current !== task) return;
    audio.src = url;
    const resume = () => { audio.currentTime = position; };
    audio.addEventListener("loadedmetadata", resume, { once: true });
    if (!wasPaused) await audio.play();
  } catch (error) {
    if (error instanceof Refused) tell(error);
  }
});
at("audio").addEventListener("timeupdate", () => { renewed = 0; });

at("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, at("key").value.trim());
  at("key").value = "";
  notice(null);
  show();
  list(false);
});
at("leave").addEventListener("click", () => {
  sessionStorage.removeItem(KEY);
  notice(null);
  show();
});
at("refresh").addEventListener("click", () => list(false));
at("status").addEventListener("change", () => list(false));
at("more").addEventListener("click", () => list(true));

show();
if (key()) list(false);
