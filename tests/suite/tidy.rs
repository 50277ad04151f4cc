//! Habits of this repository, checked over its own files: sizes, opening lines, words that have no
//! place here, and where waiting and unsafe code are allowed.

use std::path::{Path, PathBuf};

use harness::process::{repository, run};

/// Lines a source file may have.
const LINES_MAX: usize = 500;
/// Characters a line may have.
const COLUMNS_MAX: usize = 100;
/// The only file of the suite that lets time pass.
const WAITING: &str = "tests/harness/wait.rs";

struct Source {
    name: String,
    text: String,
}

/// Files under version control, and new ones that are not ignored.
fn files() -> Vec<PathBuf> {
    let root = repository();
    let root_text = root.to_string_lossy();
    let listed = run(
        "git",
        &[
            "-C",
            &root_text,
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ],
    );
    String::from_utf8_lossy(&listed)
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .filter(|name| root.join(name).is_file())
        .collect()
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

fn sources() -> Vec<Source> {
    let root = repository();
    let all: Vec<Source> = files()
        .into_iter()
        .filter(|path| is_rust(path))
        .map(|path| Source {
            text: std::fs::read_to_string(root.join(&path)).expect("a source file in UTF-8"),
            name: path.to_string_lossy().into_owned(),
        })
        .collect();
    assert!(all.len() > 50, "only {} source files found", all.len());
    all
}

fn report(problems: &[String]) {
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

/// Habit 1: small files, short lines.
#[test]
fn files_and_lines_are_short() {
    let mut problems = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            problems.push(format!("{}: {lines} lines", source.name));
        }
        for (number, line) in source.text.lines().enumerate() {
            if line.chars().count() > COLUMNS_MAX {
                problems.push(format!("{}:{}: a long line", source.name, number + 1));
            }
            if line.ends_with([' ', '\t']) {
                problems.push(format!(
                    "{}:{}: white space at the end",
                    source.name,
                    number + 1
                ));
            }
        }
    }
    report(&problems);
}

/// Habit 2: each file says first what lives in it.
#[test]
fn files_open_by_saying_what_they_hold() {
    let problems: Vec<String> = sources()
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| format!("{} does not open with '//! '", source.name))
        .collect();
    report(&problems);
}

/// Habit 14: comments are no notebook, and nothing is left half done.
#[test]
fn nothing_is_left_for_later() {
    // In two halves, so that this file does not find itself.
    let words = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("XX", "X"),
        ("HA", "CK"),
        ("SKEL", "ETON"),
    ];
    let mut problems = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            for (first, second) in words {
                let word = format!("{first}{second}");
                let found = line
                    .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .any(|token| token == word);
                if found {
                    problems.push(format!("{}:{}: {word}", source.name, number + 1));
                }
            }
            for (first, second) in [("to", "do!("), ("unimple", "mented!("), ("db", "g!(")] {
                if line.contains(&format!("{first}{second}")) {
                    problems.push(format!("{}:{}: {first}{second}", source.name, number + 1));
                }
            }
        }
    }
    report(&problems);
}

/// Habit 10: tests wait for conditions. Each crate has one helper for that, in a file that lets
/// time pass; benchmarks measure time and are no tests.
#[test]
fn tests_do_not_sleep() {
    let helpers = [WAITING, "storage/src/testing.rs", "tests/suite/tidy.rs"];
    let mut problems = Vec::new();
    for source in sources() {
        let name = source.name.as_str();
        let is_test = name.starts_with("tests/harness")
            || name.starts_with("tests/suite")
            || name.contains("/tests/")
            || name.ends_with("tests.rs");
        if !is_test || name.starts_with("tests/bench") || helpers.contains(&name) {
            continue;
        }
        for word in [
            "thread::sleep",
            "time::sleep",
            "time::Instant::now",
            "SystemTime::now",
        ] {
            if source.text.contains(word) {
                problems.push(format!("{name} uses {word}"));
            }
        }
    }
    report(&problems);
}

/// Habit 12: unsafe code lives in files that say why, and each block says why it is sound.
#[test]
fn unsafe_code_is_where_it_says() {
    let mut problems = Vec::new();
    let keyword = ["un", "safe"].concat();
    for source in sources() {
        let uses = source.text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            [" {", " fn", " impl", " extern"]
                .iter()
                .any(|what| code.contains(&format!("{keyword}{what}")))
        });
        let allowed = source.text.contains("#![allow(unsafe_code")
            || source.text.contains("    unsafe_code,");
        if uses && !allowed {
            problems.push(format!(
                "{}: {keyword} without a file-wide reason",
                source.name
            ));
        }
        if uses && !source.text.contains("// SAFETY:") {
            problems.push(format!("{}: {keyword} without SAFETY", source.name));
        }
    }
    report(&problems);
}

/// Habit 9: limits are documented where they are named, and asserted against each other.
#[test]
fn limits_are_documented() {
    let mut problems = Vec::new();
    let mut found = 0;
    for source in sources()
        .into_iter()
        .filter(|source| source.name.ends_with("/limits.rs"))
    {
        if source.name.starts_with("tests/") {
            continue;
        }
        found += 1;
        let mut previous = "";
        for (number, line) in source.text.lines().enumerate() {
            let names = line.starts_with("pub const") || line.starts_with("pub(crate) const");
            if names && !previous.starts_with("///") {
                problems.push(format!("{}:{}: undocumented", source.name, number + 1));
            }
            previous = line;
        }
        if !source.text.contains("assert!(") {
            problems.push(format!(
                "{}: no limit is asserted against another",
                source.name
            ));
        }
    }
    assert!(found >= 3, "each crate has its limits.rs; found {found}");
    report(&problems);
}

/// Crates import only what lies upstream of them (ARCHITECTURE.md).
#[test]
fn crates_look_upstream_only() {
    let mut problems = Vec::new();
    for source in sources() {
        let forbidden: &[&str] = if source.name.starts_with("audio-io/") {
            &[
                "storage::",
                "daemon::",
                "hyper::",
                "tokio::",
                "serde_json::",
                "redb::",
            ]
        } else if source.name.starts_with("storage/") {
            &["daemon::", "hyper::", "alsa::", "http::"]
        } else if source.name.starts_with("daemon/") {
            &["redb::", "alsa::"]
        } else {
            &[]
        };
        for (number, line) in source.text.lines().enumerate() {
            let code = line.trim_start();
            if !code.starts_with("use ") && !code.starts_with("pub use ") {
                continue;
            }
            for name in forbidden {
                let path = code.trim_start_matches("pub ").trim_start_matches("use ");
                if path.starts_with(name) {
                    problems.push(format!("{}:{}: {name}", source.name, number + 1));
                }
            }
        }
    }
    report(&problems);
}

/// The repository belongs to no machine: nothing in it names somebody's folders.
#[test]
fn no_file_names_a_folder_of_its_author() {
    let root = repository();
    let folders = [
        ["/wo", "rk/"].concat(),
        ["/ho", "me/"].concat(),
        ["/ro", "ot/."].concat(),
    ];
    let mut problems = Vec::new();
    for path in files() {
        let Ok(text) = std::fs::read_to_string(root.join(&path)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            if folders.iter().any(|folder| line.contains(folder.as_str())) {
                problems.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    report(&problems);
}

/// Text files end in one newline and hold no carriage returns, tabs apart.
#[test]
fn text_files_are_clean() {
    let root = repository();
    let mut problems = Vec::new();
    for path in files() {
        let name = path.to_string_lossy().into_owned();
        let known = [
            "rs", "toml", "md", "sh", "yml", "css", "js", "html", "service",
        ];
        if !path
            .extension()
            .is_some_and(|found| known.iter().any(|known| found == *known))
        {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(root.join(&path)) else {
            problems.push(format!("{name}: not UTF-8"));
            continue;
        };
        if text.contains('\r') {
            problems.push(format!("{name}: carriage returns"));
        }
        if !text.ends_with('\n') || text.ends_with("\n\n") {
            problems.push(format!("{name}: ends in no newline, or in several"));
        }
    }
    report(&problems);
}
