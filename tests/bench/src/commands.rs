//! Running programs to their end, and finding them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::Failure;

/// Runs a command and gives its standard output.
pub(crate) fn output(what: &str, command: &mut Command) -> Result<String, Failure> {
    let done = command
        .stdin(Stdio::null())
        .output()
        .map_err(Failure::io(format!("{what}: start")))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        return Err(Failure::Program {
            what: what.into(),
            said: format!("{}; {said}", done.status),
        });
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Runs a command whose last line of output is JSON.
pub(crate) fn json(what: &str, command: &mut Command) -> Result<Value, Failure> {
    let text = output(what, command)?;
    let whole = serde_json::from_str(&text);
    let value = whole.or_else(|_| serde_json::from_str(text.lines().last().unwrap_or_default()));
    value.map_err(|error| Failure::Program {
        what: what.into(),
        said: format!("no JSON in '{}': {error}", text.trim()),
    })
}

/// The first value under this name, anywhere inside.
pub(crate) fn find<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields
            .get(name)
            .or_else(|| fields.values().find_map(|inner| find(inner, name))),
        Value::Array(items) => items.iter().find_map(|inner| find(inner, name)),
        _ => None,
    }
}

/// A program built beside this one.
pub(crate) fn own_program(name: &str) -> Result<PathBuf, Failure> {
    let here = std::env::current_exe().map_err(Failure::io("own path"))?;
    let path = here.with_file_name(name);
    if path.exists() {
        return Ok(path);
    }
    Err(Failure::Missing {
        program: path.display().to_string(),
        remedy: "build it first: cargo build --release, or 'make bench'",
    })
}

/// A program of the system, in PATH or where administrators' programs are.
pub(crate) fn system_program(name: &str, remedy: &'static str) -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.extend(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from));
    let found = places
        .into_iter()
        .map(|dir| dir.join(name))
        .find(|path| path.is_file());
    found.ok_or_else(|| Failure::Missing {
        program: name.into(),
        remedy,
    })
}

/// Compiles the C peer of the recorder into `dir`.
pub(crate) fn compile_stdio_recorder(dir: &Path) -> Result<PathBuf, Failure> {
    let source = include_str!("../peer/stdio_recorder.c");
    compile_peer(dir, "stdio_recorder", source)
}

/// Compiles a C peer into `dir`.
pub(crate) fn compile_peer(dir: &Path, name: &str, text: &str) -> Result<PathBuf, Failure> {
    let source = dir.join(format!("{name}.c"));
    let program = dir.join(name);
    std::fs::write(&source, text).map_err(Failure::io("writing the C peer"))?;
    let cc = system_program("cc", "install gcc ('make setup')")?;
    output(
        "cc",
        Command::new(cc)
            .args(["-O2", "-o"])
            .arg(&program)
            .arg(&source),
    )?;
    Ok(program)
}
