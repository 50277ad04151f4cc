//! Golden files: what an answer looked like when somebody last approved of it. Parts that differ
//! from run to run are masked. `CALLREEL_GOLDEN=write` writes them anew; read the diff then.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::http::{Answer, Request};
use crate::process::repository;

/// Bodies longer than this, or not text, are told by their length only.
const BODY_MAX: usize = 4_096;

/// Words to mask, in order: what stands in the answer, and what stands in the golden file.
pub type Masks<'a> = &'a [(&'a str, &'a str)];

/// Compares a request and its answer with the golden file `<name>.http`.
///
/// # Panics
/// When they differ, with both.
pub fn check(name: &str, request: &Request, answer: &Answer, masks: Masks<'_>) {
    let seen = mask(&render(request, answer), masks);
    let path = file(name);
    if std::env::var("CALLREEL_GOLDEN").is_ok_and(|value| value == "write") {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("the golden folder");
        }
        std::fs::write(&path, &seen).expect("the golden file");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; CALLREEL_GOLDEN=write makes it. Seen:\n{seen}",
            path.display()
        )
    });
    assert_eq!(
        golden, seen,
        "\n--- golden {name}:\n{golden}\n--- seen:\n{seen}"
    );
}

fn file(name: &str) -> PathBuf {
    repository()
        .join("tests/golden")
        .join(format!("{name}.http"))
}

fn render(request: &Request, answer: &Answer) -> String {
    let mut text = format!("> {} {}\n", request.method, request.target);
    for (name, value) in &request.headers {
        let _ = writeln!(text, "> {name}: {value}");
    }
    if !request.body.is_empty() {
        let _ = writeln!(text, "> \n> {}", String::from_utf8_lossy(&request.body));
    }
    let _ = writeln!(text, "< {}", answer.status);
    // The order of headers means nothing (RFC 9110 section 5.3).
    let mut headers = answer.headers.clone();
    headers.sort();
    for (name, value) in &headers {
        let value = if name == "date" || name == "x-request-id" {
            "<varies>"
        } else {
            value
        };
        let _ = writeln!(text, "< {name}: {value}");
    }
    match std::str::from_utf8(&answer.body) {
        _ if answer.body.is_empty() => {}
        Ok(body) if body.len() <= BODY_MAX => {
            let _ = writeln!(text, "\n{body}");
        }
        _ => {
            let _ = writeln!(text, "\n<{} bytes>", answer.body.len());
        }
    }
    text
}

fn mask(text: &str, masks: Masks<'_>) -> String {
    masks
        .iter()
        .filter(|(word, _)| !word.is_empty())
        .fold(text.to_owned(), |text, (word, name)| {
            text.replace(word, name)
        })
}
