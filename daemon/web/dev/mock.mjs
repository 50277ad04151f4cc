// A small server that answers as the appliance would, for working on the page: `npm run mock`, then
// `npm run dev`. Any name with the password `password` signs in; the name says the role.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { detailOf, ENTRIES, makeRows, peaksOf, wavOf } from "./data.mjs";
import { beat, HEALTH, keys, lines, tenants, users } from "./appliance.mjs";

const BASE = "/api/supervisor/v1";
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
  "media-src 'self' blob:; img-src 'self' data:; worker-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";
const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css" };
const sessions = new Map();
const rows = makeRows(20_000);
const details = new Map();
const deleted = new Map();
const jobs = new Map();
function rights(role) {
  const changes = role === "supervisor" || role === "admin";
  return {
    play: true,
    download: role !== "agent-view",
    note: changes,
    tag: changes,
    hold: changes,
    keep: changes,
    lift_any: role === "admin",
    delete: role === "admin",
    export: role !== "agent-view",
    listen_live: changes,
    audit: role === "auditor" || role === "admin",
    admin: role === "admin",
    health: true,
    tenants: role === "admin",
  };
}

class Fault extends Error {
  constructor(status, code, message, more = {}) {
    super(message);
    Object.assign(this, { status, code, more });
  }
}

const cookieOf = (request) => /callreel=(\w+)/.exec(request.headers.cookie ?? "")?.[1];
const sessionView = (user) => ({
  user: {
    id: user.user_id,
    name: user.name,
    role: user.role,
    tenant: "main",
    groups: user.groups,
    line: user.line,
  },
  csrf: `csrf-${user.name}`,
  expires_in_ms: 1_800_000,
  can: rights(user.role),
});

function matches(row, query) {
  const is = (name) => !query.has(name) || row[name] === query.get(name);
  const digits = (text) => (text ?? "").replace(/\D/g, "");
  const number = query.get("number");
  const ends = (text) =>
    digits(text).startsWith(digits(number)) || digits(text).endsWith(digits(number));
  return (
    is("line") &&
    is("agent") &&
    is("direction") &&
    is("state") &&
    (!number || ends(row.from) || ends(row.to)) &&
    (!query.has("from") || row.started_at >= Number(query.get("from"))) &&
    (!query.has("to") || row.started_at < Number(query.get("to"))) &&
    (!query.has("min_ms") || row.duration_ms >= Number(query.get("min_ms"))) &&
    (!query.has("max_ms") || row.duration_ms <= Number(query.get("max_ms"))) &&
    (!query.has("tag") || row.tags.includes(query.get("tag"))) &&
    (!query.has("held") || row.held) &&
    (!query.has("q") ||
      (row.notes > 0 &&
        detail(row).notes.some((note) =>
          note.text.toLowerCase().includes(query.get("q").toLowerCase()),
        )))
  );
}

function search(query) {
  const found = rows.filter((row) => !deleted.has(row.id) && matches(row, query));
  if (query.get("order") === "asc") found.reverse();
  const begin = Number(query.get("cursor") ?? 0);
  const end = begin + Number(query.get("limit") ?? 50);
  return { recordings: found.slice(begin, end), next: end < found.length ? String(end) : null };
}

function detail(row) {
  if (!details.has(row.id)) details.set(row.id, detailOf(row));
  return details.get(row.id);
}

async function body(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size <= 64 * 1024) parts.push(part);
  }
  if (size > 64 * 1024) throw new Fault(413, "too_large", "The body is larger than 64 KiB.");
  return parts.length ? JSON.parse(Buffer.concat(parts).toString()) : {};
}

function ranged(request, response, type, bytes, headers = {}) {
  const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
  const begin = range ? Number(range[1]) : 0;
  const end = range?.[2] ? Math.min(Number(range[2]), bytes.length - 1) : bytes.length - 1;
  response.writeHead(range ? 206 : 200, {
    "Content-Type": type,
    "Accept-Ranges": "bytes",
    "Content-Length": end - begin + 1,
    ...(range ? { "Content-Range": `bytes ${begin}-${end}/${bytes.length}` } : {}),
    ...headers,
  });
  response.end(bytes.subarray(begin, end + 1));
}

function stream(response, tick, everyMs) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  response.write(": hello\n\n");
  const send = (event, data) =>
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const timer = setInterval(() => tick(send, () => response.end()), everyMs);
  response.on("close", () => clearInterval(timer));
}

function jobOf(id) {
  const job = jobs.get(id);
  if (!job) throw new Fault(404, "not_found", "There is no such export.");
  if (job.state === "running") {
    job.done = Math.min(job.total, (Date.now() - job.made_at) * 40_000);
    job.bytes = job.done;
    if (job.done === job.total) job.state = "done";
  }
  return job;
}

async function recording(request, response, user, rest, query) {
  const [id, what, sub, act] = rest;
  if (deleted.has(id)) throw new Fault(410, "gone", "The recording was deleted.", deleted.get(id));
  const row = rows.find((one) => one.id === id);
  if (!row) throw new Fault(404, "not_found", "There is no such recording.");
  const full = detail(row);
  const sync = () =>
    Object.assign(row, { tags: full.tags, held: full.holds.length > 0, notes: full.notes.length });
  const method = request.method;
  if (!what && method === "GET") return full;
  if (!what && method === "DELETE") {
    if (full.holds.length) throw new Fault(409, "kept", "The recording is held.", { why: "hold" });
    const { reason } = await body(request);
    deleted.set(id, { deleted_at: Date.now(), why: reason, by: user.name });
    return { deleted_at: Date.now() };
  }
  if (what === "audio") {
    const headers = query.has("download")
      ? { "Content-Disposition": `attachment; filename="${id}.wav"` }
      : {};
    return void ranged(request, response, "audio/wav", wavOf(row), headers);
  }
  if (what === "peaks") {
    return void ranged(
      request,
      response,
      "application/octet-stream",
      peaksOf(row, Number(query.get("zoom"))),
    );
  }
  const wish = await body(request);
  if (what === "tags") {
    const rest = full.tags.filter((tag) => !wish.tags.includes(tag));
    full.tags = method === "POST" ? [...rest, ...wish.tags] : rest;
    sync();
    return { tags: full.tags };
  }
  if (what === "notes") {
    if ((wish.text?.length ?? 0) > 16_384)
      throw new Fault(413, "too_large", "A note has at most 16 KiB.");
    const note = full.notes.find((one) => one.id === sub);
    if (method === "POST") {
      const made = {
        id: String(Date.now()),
        at_ms: wish.at_ms,
        text: wish.text,
        by: user.name,
        at: Date.now(),
        edited_at: null,
      };
      full.notes = [...full.notes, made];
      sync();
      return made;
    }
    if (!note) throw new Fault(404, "not_found", "There is no such note.");
    if (method === "PUT") return Object.assign(note, { text: wish.text, edited_at: Date.now() });
    full.notes = full.notes.filter((one) => one !== note);
    sync();
    return {};
  }
  if (what === "holds") {
    if (act === "lift") full.holds = full.holds.filter((hold) => hold.id !== sub);
    else
      full.holds = [
        ...full.holds,
        { id: `h${Date.now()}`, reason: wish.reason, by: user.name, at: Date.now() },
      ];
    sync();
    return { hold: full.holds.at(-1) };
  }
  if (what === "keep-until") return { keep_until: (full.keep_until = wish.at) };
  throw new Fault(404, "not_found", "There is no such address.");
}

async function exports_(request, response, rest) {
  const [id, what] = rest;
  if (!id && request.method === "POST") {
    const wish = await body(request);
    const made = {
      id: `e${jobs.size + 1}`,
      state: "running",
      done: 0,
      total: (wish.ids?.length ?? 900) * 2_000_000,
      bytes: 0,
      message: null,
      made_at: Date.now(),
    };
    jobs.set(made.id, made);
    return { id: made.id };
  }
  if (!id) return { exports: [...jobs.keys()].map(jobOf).reverse() };
  if (what === "events") {
    return void stream(
      response,
      (send, end) => {
        const job = jobOf(id);
        send("progress", job);
        if (job.state !== "running") end();
      },
      200,
    );
  }
  if (what === "file")
    return void ranged(request, response, "application/x-tar", Buffer.alloc(10_240), {
      "Content-Disposition": 'attachment; filename="export.tar"',
    });
  if (request.method === "DELETE") Object.assign(jobOf(id), { state: "cancelled" });
  return jobOf(id);
}

async function admin(request, rest) {
  const [part, name, act] = rest;
  const wish = await body(request);
  const method = request.method;
  if (part === "groups") return { groups: [{ name: "support", lines: ["line-1", "line-2"] }] };
  if (part === "users") {
    if (method === "GET") return { users };
    const user = users.find((one) => one.name === name);
    if (method === "POST") {
      if (users.some((one) => one.name === wish.name))
        throw new Fault(409, "conflict", "There is such a user already.");
      users.push({
        user_id: String(users.length + 1),
        created_at: new Date().toISOString(),
        disabled_at: null,
        ...wish,
      });
      return { user: users.at(-1) };
    }
    if (method === "DELETE") users.splice(users.indexOf(user), 1);
    else
      Object.assign(user, wish, { disabled_at: wish.disabled ? new Date().toISOString() : null });
    return { user };
  }
  if (part === "keys") {
    if (method === "GET") return { keys };
    if (act === "revoke")
      Object.assign(
        keys.find((key) => key.key_id === name),
        { revoked_at: new Date().toISOString() },
      );
    else if (!name)
      keys.push({
        key_id: `k${Date.now()}`,
        ...wish,
        tenant: "main",
        created_at: new Date().toISOString(),
        revoked_at: null,
        expires_at: null,
        user: null,
      });
    return {
      key: keys.at(-1),
      secret: "vas_EXAMPLEEXAMPLEEXAMPLEEXAMPLE",
      base_url: "http://appliance",
    };
  }
  if (method === "GET") return { tenants };
  return { tenant: tenants[0] };
}

async function api(request, response, url) {
  const [part, ...rest] = url.pathname
    .slice(BASE.length + 1)
    .split("/")
    .map(decodeURIComponent);
  const query = url.searchParams;
  const user = sessions.get(cookieOf(request));
  if (part === "session" && request.method === "POST") {
    const { name, password } = await body(request);
    const found = users.find((one) => one.name === name);
    if (!found || password !== "password")
      throw new Fault(401, "unauthorized", "Wrong name or password.");
    const token = createHash("sha256").update(`${name}${Math.random()}`).digest("hex");
    sessions.set(token, found);
    response.setHeader("Set-Cookie", `callreel=${token}; HttpOnly; SameSite=Strict; Path=/`);
    return sessionView(found);
  }
  if (!user) throw new Fault(401, "session_expired", "Sign in.");
  if (request.method !== "GET" && request.headers["x-callreel-csrf"] !== `csrf-${user.name}`) {
    throw new Fault(403, "csrf", "The token is wrong.");
  }
  switch (part) {
    case "session":
      if (request.method === "DELETE") sessions.delete(cookieOf(request));
      return sessionView(user);
    case "lines":
      if (rest[0] !== "events") return { lines };
      return void stream(
        response,
        (send) => {
          for (const line of lines) {
            if (line.state !== "recording") continue;
            const levels = [0, 1].map(() => ({ rms_db: -50 * beat(), peak_db: -12 * beat() }));
            send("levels", { name: line.name, levels, duration_ms: Date.now() - line.started_at });
          }
        },
        250,
      );
    case "recordings":
      return rest.length ? recording(request, response, user, rest, query) : search(query);
    case "exports":
      return exports_(request, response, rest);
    case "audit":
      if (rest[0] === "key")
        return {
          key_id: "5d0c81fe",
          public_key_pem:
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAexample\n-----END PUBLIC KEY-----\n",
        };
      return audit(query);
    case "admin":
      if (user.role !== "admin") throw new Fault(403, "forbidden", "Not for your role.");
      return admin(request, rest);
    case "health":
      return HEALTH;
    default:
      throw new Fault(404, "not_found", "There is no such address.");
  }
}

function audit(query) {
  const begin = Number(query.get("cursor") ?? 0);
  const limit = Number(query.get("limit") ?? 50);
  const entries = Array.from({ length: limit }, (_, offset) => {
    const index = begin + offset;
    const [kind, name, recording, facts] = ENTRIES[index % ENTRIES.length];
    return {
      seq: 48_400 - index,
      at: Date.now() - index * 93_000,
      kind,
      who: name ? { kind: "user", id: name, name } : null,
      from: name ? "192.168.1.20" : null,
      recording,
      tenant: "main",
      details: facts,
      hash: "c0ffee00".repeat(8),
    };
  }).filter(
    (entry) =>
      (!query.get("kind") || entry.kind === query.get("kind")) &&
      (!query.get("person") || entry.who?.name === query.get("person")),
  );
  return { entries, next: begin < 400 ? String(begin + limit) : null };
}

async function page(response, url) {
  const name = url.pathname === "/" ? "/index.html" : url.pathname;
  if (!/^\/(index\.html|page\/[\w.-]+)$/.test(name))
    throw new Fault(404, "not_found", "No such file.");
  const bytes = await readFile(new URL(`../dist${name}`, import.meta.url)).catch(() => null);
  if (!bytes) throw new Fault(404, "not_found", "No such file.");
  response.writeHead(200, {
    "Content-Type": TYPES[name.split(".").at(-1)],
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
  });
  response.end(bytes);
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://mock");
  try {
    const isApi = url.pathname.startsWith(`${BASE}/`);
    const answer = await (isApi ? api(request, response, url) : page(response, url));
    if (answer === undefined) return;
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(answer));
  } catch (error) {
    const { status = 500, code = "internal", more = {} } = error;
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(
      JSON.stringify({ error: { code, message: error.message, request_id: "mock-1", ...more } }),
    );
  }
});

/** Live listening: a tone of 440 Hz for the caller, 660 Hz for the callee. */
server.on("upgrade", (request, socket) => {
  if (!sessions.has(cookieOf(request))) return void socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
  const magic = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash("sha1").update(magic).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const send = (opcode, payload) => {
    const head =
      payload.length < 126
        ? Buffer.from([0x80 | opcode, payload.length])
        : Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 255]);
    socket.write(Buffer.concat([head, payload]));
  };
  send(
    1,
    Buffer.from(
      JSON.stringify({ rate: 8000, channels: 2, recording_id: "99999", started_at: Date.now() }),
    ),
  );
  let sequence = 0;
  const began = Date.now();
  const timer = setInterval(() => {
    while (sequence * 20 < Date.now() - began) {
      const frame = Buffer.alloc(4 + 160 * 4);
      frame.writeUInt32LE(sequence, 0);
      for (let at = 0; at < 160; at += 1) {
        const seconds = (sequence * 160 + at) / 8000;
        frame.writeInt16LE(Math.sin(seconds * 2 * Math.PI * 440) * 9000, 4 + at * 4);
        frame.writeInt16LE(Math.sin(seconds * 2 * Math.PI * 660) * 9000, 6 + at * 4);
      }
      send(2, frame);
      sequence += 1;
    }
  }, 10);
  socket.on("close", () => clearInterval(timer));
  socket.on("error", () => clearInterval(timer));
});

const port = Number(process.env.PORT ?? 8099);
server.listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
