//! What many subjects need: tenants, keys, a recording to ask for, and words to find in JSON.

use std::path::{Path, PathBuf};

use harness::daemon::{Daemon, TENANT};
use harness::http::Request;
use harness::{sound, wav};
use serde_json::Value;

/// The task id of seed 004's examples.
pub(crate) const TASK: &str = "550e8400-e29b-41d4-a716-446655440000";

/// The first value under `key`, however deep, breadth before depth.
pub(crate) fn field<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let mut level = vec![value];
    while !level.is_empty() {
        let mut next = Vec::new();
        for value in level {
            match value {
                Value::Object(map) => {
                    if let Some(found) = map.get(key) {
                        return Some(found);
                    }
                    next.extend(map.values());
                }
                Value::Array(items) => next.extend(items),
                _ => {}
            }
        }
        level = next;
    }
    None
}

/// The text or number under `key`, as text.
pub(crate) fn word(value: &Value, key: &str) -> String {
    match field(value, key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        other => panic!("no text or number '{key}' ({other:?}) in {value}"),
    }
}

/// The whole number under `key`.
pub(crate) fn number(value: &Value, key: &str) -> u64 {
    field(value, key)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("no whole number '{key}' in {value}"))
}

/// Adds a tenant unless it is there already, since lines bring theirs.
pub(crate) fn tenant(daemon: &Daemon, name: &str) {
    let known = daemon.json(&["tenant", "list"]);
    if !known.to_string().contains(&format!("\"{name}\"")) {
        let _ = daemon.json(&["tenant", "add", name]);
    }
}

/// Issues a `task_audio` key and gives the answer of the command.
pub(crate) fn issue(daemon: &Daemon, tenant_name: &str) -> Value {
    tenant(daemon, tenant_name);
    daemon.json(&[
        "key",
        "issue",
        "--tenant",
        tenant_name,
        "--family",
        "task-audio",
    ])
}

/// A `task_audio` key of the suite's tenant.
pub(crate) fn key(daemon: &Daemon) -> String {
    word(&issue(daemon, TENANT), "secret")
}

/// Imports a file for the suite's tenant; `rest` are more arguments.
pub(crate) fn import(daemon: &Daemon, file: &Path, rest: &[&str]) -> Value {
    tenant(daemon, TENANT);
    let path = file.to_string_lossy();
    let mut arguments = vec!["recordings", "import", &*path, "--tenant", TENANT];
    arguments.extend_from_slice(rest);
    daemon.json(&arguments)
}

/// Writes a WAV of known noise and imports it under `task`; gives the file and its bytes.
pub(crate) fn noise_recording(daemon: &Daemon, task: &str, samples: u64) -> (PathBuf, Vec<u8>) {
    let bytes = wav::write(&sound::noise(samples), 1, 8_000);
    let path = daemon.folder().join(format!("{task}.wav"));
    std::fs::write(&path, &bytes).expect("a file to import");
    let _ = import(daemon, &path, &["--task-id", task]);
    (path, bytes)
}

/// Seed 004's playback path.
pub(crate) fn audio_path(task: &str) -> String {
    format!("/api/v1/sse/audio/{task}")
}

/// A GET of a recording with a key.
pub(crate) fn get_audio(task: &str, key: &str) -> Request {
    Request::get(&audio_path(task)).with("X-API-Key", key)
}

/// The only stored file of a daemon's data folder that ends in `extension`.
pub(crate) fn stored_files(data: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![data.join("recordings")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
