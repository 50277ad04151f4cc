// Shows the daemon's OpenAPI documents and lets one try each operation. Nothing is loaded from
// elsewhere; credentials stay in this tab. Every text goes through textContent.

const FAMILIES = [
  "play_audio_file", "session_commands", "call_recording", "voice_log", "task_audio", "supervisor",
];
const METHODS = ["get", "post", "put", "delete", "head"];
const SHOWN_BYTES = 64 * 1024;

const byId = (id) => document.getElementById(id);

/** Makes an element: attributes by name, `on…` as listeners, children as nodes or text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** Follows a local reference. */
function resolve(doc, value) {
  if (!value || typeof value.$ref !== "string") return value;
  const steps = value.$ref.replace(/^#\//, "").split("/");
  const step = (at, name) => at?.[name.replace(/~1/g, "/").replace(/~0/g, "~")];
  return steps.reduce(step, doc) ?? {};
}

const refName = (value) => value?.$ref?.split("/").pop();

/** A schema in a few words. */
function typeOf(doc, schema) {
  if (!schema) return "";
  if (schema.$ref) return refName(schema);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const several = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (several) return several.map((part) => typeOf(doc, part)).join(" | ");
  if (schema.type === "array") return `array of ${typeOf(doc, schema.items)}`;
  const type = Array.isArray(schema.type) ? schema.type.join(" | ") : (schema.type ?? "any");
  const notes = [
    schema.format,
    schema.pattern && `/${schema.pattern}/`,
    schema.minimum !== undefined && `>= ${schema.minimum}`,
    schema.maximum !== undefined && `<= ${schema.maximum}`,
    schema.minLength !== undefined && `min. length ${schema.minLength}`,
    schema.maxLength !== undefined && `max. length ${schema.maxLength}`,
    schema.default !== undefined && `default ${JSON.stringify(schema.default)}`,
  ].filter(Boolean);
  return notes.length ? `${type} (${notes.join(", ")})` : type;
}

function table(headings, rows) {
  const cell = (tag) => (content) => make(tag, tag === "th" ? { scope: "col" } : {}, content ?? "");
  const head = make("thead", {}, make("tr", {}, ...headings.map(cell("th"))));
  const body = make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell("td")))));
  return make("div", { class: "scroll" }, make("table", {}, head, body));
}

function properties(doc, schema) {
  const entries = Object.entries(schema.properties ?? {});
  if (!entries.length) return make("p", { class: "quiet" }, typeOf(doc, schema));
  const required = new Set(schema.required ?? []);
  const row = ([name, property]) => [
    make("code", {}, name),
    make("span", {}, typeOf(doc, property), required.has(name) ? " · required" : ""),
    resolve(doc, property)?.description ?? "",
  ];
  return table(["Field", "Type", "Meaning"], entries.map(row));
}

function examples(media) {
  const all = media.examples
    ? Object.entries(media.examples).map(([name, example]) => [name, example.value])
    : media.example !== undefined ? [["", media.example]] : [];
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
  return all.flatMap(([name, value]) => [
    name ? make("p", { class: "quiet" }, name) : null,
    make("pre", { tabindex: 0 }, text(value)),
  ]);
}

function parametersOf(doc, item, operation) {
  return [...(item.parameters ?? []), ...(operation.parameters ?? [])]
    .map((parameter) => resolve(doc, parameter));
}

function showParameters(doc, parameters) {
  if (!parameters.length) return [];
  const row = (parameter) => [
    make("code", {}, parameter.name),
    `${parameter.in}${parameter.required ? " · required" : ""}`,
    typeOf(doc, parameter.schema),
    parameter.description ?? "",
  ];
  return [make("h3", {}, "Parameters"),
    table(["Name", "Where", "Type", "Meaning"], parameters.map(row))];
}

function showBody(doc, operation) {
  const body = resolve(doc, operation.requestBody);
  if (!body?.content) return [];
  const parts = Object.entries(body.content).flatMap(([type, media]) => [
    make("p", {}, make("code", {}, type), media.schema?.$ref ? ` · ${refName(media.schema)}` : ""),
    properties(doc, resolve(doc, media.schema) ?? {}),
    ...examples(media),
  ]);
  return [make("h3", {}, "Body"), ...parts];
}

function showResponses(doc, operation) {
  const rows = Object.entries(operation.responses ?? {}).map(([status, reference]) => {
    const response = resolve(doc, reference);
    const types = Object.entries(response.content ?? {}).map(([type, media]) =>
      media.schema?.$ref ? `${type} (${refName(media.schema)})` : type);
    const shown = Object.values(response.content ?? {}).flatMap(examples);
    const headers = Object.keys(response.headers ?? {}).join(", ");
    return [
      make("strong", { class: status < "400" ? "ok" : "bad" }, status),
      make("div", {}, response.description ?? "",
        types.length ? make("p", { class: "quiet" }, types.join(", ")) : null,
        headers ? make("p", { class: "quiet" }, `Headers: ${headers}`) : null,
        ...shown),
    ];
  });
  return [make("h3", {}, "Answers"), table(["Status", "Meaning"], rows)];
}

/** What the reader typed as credentials, by security scheme. */
const typed = new Map();

function showCredentials(doc) {
  const section = byId("credentials");
  section.replaceChildren();
  const schemes = Object.entries(doc.components?.securitySchemes ?? {});
  if (!schemes.length) return;
  section.append(make("h2", {}, "Credentials"),
    make("p", { class: "quiet" }, "For trying operations below; kept in this tab only."));
  for (const [name, scheme] of schemes) {
    const id = `credential-${name}`;
    const hint = scheme.type === "http" ? `Authorization: ${scheme.scheme}`
      : `${scheme.in}: ${scheme.name}`;
    const input = make("input", {
      id, type: "password", autocomplete: "off", spellcheck: "false", placeholder: hint,
      oninput: () => typed.set(name, input.value),
    });
    input.value = typed.get(name) ?? "";
    section.append(make("div", { class: "row" }, make("label", { for: id }, name), input));
  }
}

/** Puts credentials into a request: the first alternative that was filled in. */
function authorise(doc, operation, request) {
  const alternatives = operation.security ?? doc.security ?? [];
  const filled = alternatives.find((wanted) =>
    Object.keys(wanted).length && Object.keys(wanted).every((name) => typed.get(name)));
  for (const name of Object.keys(filled ?? {})) {
    const scheme = doc.components.securitySchemes[name];
    const value = typed.get(name);
    if (scheme.type === "http") {
      const basic = scheme.scheme.toLowerCase() === "basic";
      request.headers.set("Authorization", basic ? `Basic ${btoa(value)}` : `Bearer ${value}`);
    } else if (scheme.in === "header") request.headers.set(scheme.name, value);
    else request.query.set(scheme.name, value);
  }
}

async function send(doc, path, method, operation, inputs, body, output) {
  const request = { headers: new Headers(), query: new URLSearchParams() };
  let target = path;
  for (const [parameter, input] of inputs) {
    const value = input.value;
    if (parameter.in === "path") {
      target = target.replace(`{${parameter.name}}`, encodeURIComponent(value));
    } else if (value === "") continue;
    else if (parameter.in === "query") request.query.append(parameter.name, value);
    else if (parameter.in === "header") request.headers.set(parameter.name, value);
  }
  authorise(doc, operation, request);
  const query = request.query.toString();
  const options = { method: method.toUpperCase(), headers: request.headers };
  if (body && body.text.value !== "") {
    request.headers.set("Content-Type", body.type.value);
    options.body = body.text.value;
  }
  output.replaceChildren(make("p", { class: "quiet" }, "Waiting for the answer…"));
  try {
    const answer = await fetch(query ? `${target}?${query}` : target, options);
    await showAnswer(answer, output);
  } catch (error) {
    output.replaceChildren(make("p", { class: "bad" }, `No answer: ${error.message}`));
  }
}

async function showAnswer(answer, output) {
  const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  const type = answer.headers.get("Content-Type") ?? "";
  const parts = [
    make("p", { class: answer.ok ? "ok" : "bad" }, `${answer.status} ${answer.statusText}`),
    make("pre", { tabindex: 0 }, headers),
  ];
  const bytes = await answer.blob();
  if (type.startsWith("audio/")) {
    const sound = make("audio", { controls: "", src: URL.createObjectURL(bytes) });
    parts.push(make("p", { class: "quiet" }, `${bytes.size} bytes of sound`), sound);
  } else if (bytes.size) {
    let text = await bytes.slice(0, SHOWN_BYTES).text();
    try {
      text = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // Not JSON, or cut: shown as it came.
    }
    parts.push(make("pre", { tabindex: 0 }, text));
  }
  output.replaceChildren(...parts);
}

function tryIt(doc, path, method, operation, parameters) {
  const output = make("div", { "aria-live": "polite" });
  const rows = parameters.map((parameter) => {
    const id = `${operation.operationId}-${parameter.in}-${parameter.name}`;
    const input = make("input", { id, spellcheck: "false", required: parameter.required });
    input.value = parameter.example ?? "";
    const label = make("label", { for: id }, parameter.name);
    return { parameter, input, row: make("div", { class: "row" }, label, input) };
  });
  const content = resolve(doc, operation.requestBody)?.content;
  let body;
  if (content) {
    const types = Object.keys(content).filter((type) => !type.startsWith("multipart/"));
    const type = make("select", { "aria-label": "Content type" },
      ...types.map((name) => make("option", { value: name }, name)));
    const first = examples(content[types[0]] ?? {}).find((node) => node?.tagName === "PRE");
    const text = make("textarea", { "aria-label": "Body", spellcheck: "false" });
    text.value = first?.textContent ?? "";
    body = { type, text };
  }
  const go = (event) => {
    event.preventDefault();
    const inputs = rows.map(({ parameter, input }) => [parameter, input]);
    send(doc, path, method, operation, inputs, body, output);
  };
  const form = make("form", { onsubmit: go }, ...rows.map(({ row }) => row),
    body ? make("div", { class: "row" }, body.type) : null, body?.text,
    make("div", { class: "row" }, make("button", { class: "go", type: "submit" }, "Send")));
  return [make("h3", {}, "Try it"), form, output];
}

function showOperations(doc) {
  const section = byId("operations");
  section.replaceChildren(make("h2", {}, "Operations"));
  for (const [path, item] of Object.entries(doc.paths ?? {})) {
    for (const method of METHODS.filter((method) => item[method])) {
      const operation = item[method];
      const parameters = parametersOf(doc, item, operation);
      const heading = make("summary", {},
        make("span", { class: "method" }, method.toUpperCase()),
        make("span", { class: "path" }, path),
        make("span", { class: "summary" }, operation.summary ?? ""));
      const details = make("details", { id: operation.operationId }, heading);
      // Filled when it is opened first: long documents stay quick.
      details.addEventListener("toggle", () => {
        if (details.children.length > 1) return;
        details.append(make("div", {},
          make("p", {}, operation.description ?? ""),
          ...showParameters(doc, parameters), ...showBody(doc, operation),
          ...showResponses(doc, operation), ...tryIt(doc, path, method, operation, parameters)));
      });
      section.append(details);
    }
  }
}

function showSchemas(doc) {
  const section = byId("schemas");
  section.replaceChildren();
  const schemas = Object.entries(doc.components?.schemas ?? {});
  if (!schemas.length) return;
  section.append(make("h2", {}, "Schemas"));
  for (const [name, schema] of schemas) {
    section.append(make("details", {}, make("summary", {}, make("code", {}, name)),
      make("div", {}, make("p", {}, schema.description ?? ""), properties(doc, schema))));
  }
}

async function show() {
  const wanted = location.hash.slice(1).split("/")[0];
  const family = FAMILIES.includes(wanted) ? wanted : FAMILIES[0];
  byId("families").replaceChildren(...FAMILIES.map((name) => make("a", {
    href: `#${name}`, "aria-current": name === family ? "page" : undefined,
  }, name)));
  const notice = byId("notice");
  notice.hidden = true;
  try {
    const answer = await fetch(`/openapi/${family}.json`);
    if (!answer.ok) throw new Error(`the document of ${family} answered ${answer.status}`);
    const doc = await answer.json();
    document.title = doc.info.title;
    byId("about").replaceChildren(
      make("h2", {}, doc.info.title), make("p", {}, doc.info.summary ?? ""),
      make("p", { class: "quiet" }, doc.info.description ?? ""),
      make("p", {}, make("a", { href: `/openapi/${family}.json` }, "OpenAPI document")));
    showCredentials(doc);
    showOperations(doc);
    showSchemas(doc);
  } catch (error) {
    notice.textContent = `The document cannot be shown: ${error.message}`;
    notice.hidden = false;
  }
}

addEventListener("hashchange", show);
show();
