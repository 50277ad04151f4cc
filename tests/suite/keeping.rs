//! `callreel hold|tag|keep|retention|clock|audit`, and what `check` proves of the ledger: the real
//! command line against the real daemon, and against its store at rest.

use harness::cli::{self, Output};
use harness::daemon::{Daemon, Setup, TENANT};
use harness::{sound, wav};
use serde_json::Value;

use crate::support;

/// A daemon with two imported recordings; their numbers.
fn two() -> (Daemon, [String; 2]) {
    let daemon = Setup::new().start();
    let tone = daemon.folder().join("tone.wav");
    let samples = sound::tone(440.0, 0.5, 16_000, 4.0);
    std::fs::write(&tone, wav::write(&samples, 1, 16_000)).expect("a tone");
    let numbers = ["7001", "7002"].map(|recid| {
        let words = [
            "--recid",
            recid,
            "--from",
            "+15550100",
            "--start",
            "2026-11-21T08:00:00Z",
        ];
        let _ = support::import(&daemon, &tone, &words);
        recid.to_owned()
    });
    (daemon, numbers)
}

fn refused(daemon: &Daemon, words: &[&str], code: i32, says: &str) {
    let output = daemon.cli(words).failure();
    assert_eq!(output.code, code, "{words:?}: {}", output.stderr);
    assert!(output.stderr.contains(says), "{words:?}: {}", output.stderr);
}

fn said(daemon: &Daemon, words: &[&str]) -> String {
    daemon.cli(words).success().stdout
}

fn offline(daemon: &Daemon, words: &[&str]) -> Output {
    let data = daemon.data();
    let data = data.to_string_lossy();
    let words = [&["--json"], words, &["--data-dir", &data]].concat();
    cli::run("callreel", &words, &[])
}

fn kinds(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .filter_map(|item| item["kind"].as_str())
        .collect()
}

#[test]
fn a_hold_without_reason_or_recording_is_refused() {
    let (daemon, [first, _]) = two();
    let first = first.as_str();
    refused(&daemon, &["hold", "set", first], 2, "--reason");
    refused(
        &daemon,
        &["hold", "set", first, "--reason", " "],
        2,
        "needs a reason",
    );
    refused(
        &daemon,
        &["hold", "set", "--reason", "x"],
        2,
        "name recordings",
    );
    refused(
        &daemon,
        &["hold", "set", "999", "--reason", "x"],
        4,
        "no recording",
    );
    refused(
        &daemon,
        &["hold", "lift", first, "--reason", "x"],
        2,
        "name recordings",
    );
    refused(
        &daemon,
        &["hold", "lift", first, "9", "--reason", "x"],
        4,
        "no hold 9",
    );
}

#[test]
fn a_hold_beats_deletion_and_is_told_with_its_reason() {
    let (daemon, [first, second]) = two();
    let first = first.as_str();
    let wish = [
        "hold",
        "set",
        "--number",
        "+15550100",
        "--reason",
        "case 12",
    ];
    let dry = daemon.json(&[&wish[..], &["--dry-run"]].concat());
    assert_eq!(dry["items"].as_array().map(Vec::len), Some(2), "{dry}");
    assert!(said(&daemon, &["hold", "list"]).contains("nothing is held"));
    let _ = daemon.json(&wish);
    let held = said(&daemon, &["hold", "list", "--tenant", TENANT]);
    assert!(held.contains(first) && held.contains(&second), "{held}");
    assert!(held.contains("case 12"), "{held}");
    refused(
        &daemon,
        &["recordings", "delete", first, "--yes"],
        6,
        "it is held",
    );
    let shown = said(&daemon, &["recordings", "show", first]);
    assert!(
        shown.contains("case 12") && shown.contains("it is held"),
        "{shown}"
    );
    let lifted = said(&daemon, &["hold", "lift", first, "1", "--reason", "closed"]);
    assert!(
        lifted.contains("hold 1 lifted; it has no other"),
        "{lifted}"
    );
    let _ = said(&daemon, &["recordings", "delete", first, "--yes"]);
    let told = daemon.json(&[
        "audit",
        "--recording",
        first,
        "--kind",
        "hold_set,hold_lifted,deleted",
    ]);
    assert_eq!(
        kinds(&told),
        ["deleted", "hold_lifted", "hold_set"],
        "{told}"
    );
    let items = told["items"].as_array().expect("items");
    assert_eq!(items[2]["details"]["reason"], "case 12", "{told}");
    assert_eq!(items[1]["details"]["was_reason"], "case 12", "{told}");
    for item in items {
        assert_eq!(item["who"]["kind"], "command", "{item}");
        let uid = nix::unistd::Uid::effective().to_string();
        assert_eq!(item["who"]["id"], uid, "{item}");
    }
    let _ = said(&daemon, &["check"]);
}

#[test]
fn tags_find_recordings_and_minimums_only_grow() {
    let (daemon, [first, second]) = two();
    let (first, second) = (first.as_str(), second.as_str());
    let _ = said(&daemon, &["tag", "add", first, "contract", "legal:2026"]);
    refused(&daemon, &["tag", "add", first, "a/b"], 2, "tag");
    assert_eq!(
        said(&daemon, &["tag", "list", first]),
        "contract\nlegal:2026\n"
    );
    let listed = daemon.json(&["recordings", "list", "--tag", "contract"]);
    assert_eq!(
        listed["items"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );
    assert_eq!(listed["items"][0]["recid"], first);
    let none = daemon.json(&["recordings", "list", "--number", "+15550199"]);
    assert_eq!(none["items"].as_array().map(Vec::len), Some(0), "{none}");
    let _ = said(&daemon, &["tag", "remove", first, "legal:2026"]);
    assert_eq!(said(&daemon, &["tag", "list", first]), "contract\n");
    let kept = said(
        &daemon,
        &["keep", "--tag", "contract", "--until", "2031-12-31"],
    );
    assert!(kept.contains("kept until 2031-12-31"), "{kept}");
    refused(
        &daemon,
        &["keep", first, "--until", "2030-01-01"],
        6,
        "can only grow",
    );
    refused(
        &daemon,
        &["keep", first, "--for", "5 lightyears"],
        2,
        "units",
    );
    refused(
        &daemon,
        &["recordings", "delete", first, "--yes"],
        6,
        "kept until 2031-12-31",
    );
    let _ = said(&daemon, &["keep", first, second, "--for", "20 years"]);
    let shown = daemon.json(&["recordings", "show", second]);
    let until = shown["retained"]["keep_until"].as_str().expect("a time");
    assert!(until > "2046", "{until}");
    refused(
        &daemon,
        &["recordings", "delete", second, "--yes"],
        6,
        "is kept until",
    );
}

#[test]
fn retention_and_the_clock_tell_what_they_would_do() {
    let (daemon, _) = two();
    let shown = said(&daemon, &["retention", "show"]);
    assert!(
        shown.contains("never were policies") && shown.contains("clock: "),
        "{shown}"
    );
    let plan = daemon.json(&["retention", "plan", "--free-bytes", "5"]);
    assert_eq!(plan["free_bytes"], 5, "{plan}");
    assert_eq!(plan["items"].as_array().map(Vec::len), Some(0), "{plan}");
    refused(&daemon, &["retention", "run"], 2, "no terminal");
    let ran = daemon.json(&["retention", "run", "--yes"]);
    assert_eq!(ran["deleted"], 0, "{ran}");
    let told = daemon.json(&["audit", "--kind", "policy"]);
    assert_eq!(told["items"][0]["details"]["pass"], "by command", "{told}");
    let shrink = daemon.json(&["retention", "accept-shrink"]);
    assert_eq!(
        shrink["shrinks"].as_array().map(Vec::len),
        Some(0),
        "{shrink}"
    );
    let resumed = said(&daemon, &["retention", "resume"]);
    assert!(resumed.contains("not suspended"), "{resumed}");
    let clock = daemon.json(&["clock", "show"]);
    assert_eq!(clock["may_delete"], true, "{clock}");
    refused(&daemon, &["clock", "confirm"], 2, "no terminal");
    let preview = daemon.json(&["clock", "confirm", "--dry-run"]);
    assert_eq!(preview["then"]["standing"], "trusted", "{preview}");
    assert_eq!(
        kinds(&daemon.json(&["audit", "--kind", "clock_step"])).len(),
        0
    );
    let _ = daemon.json(&["clock", "confirm", "--yes"]);
    assert_eq!(
        kinds(&daemon.json(&["audit", "--kind", "clock_step"])),
        ["clock_step"]
    );
}

/// After the index was made anew, holds may be missing: nothing is deleted before somebody looked.
#[test]
fn a_rebuilt_index_deletes_nothing_before_it_is_told_to() {
    let (mut daemon, [first, _]) = two();
    daemon.kill();
    std::fs::remove_file(daemon.data().join("index.redb")).expect("the index");
    let _ = offline(&daemon, &["reindex"]).success();
    daemon.start();
    let words = ["recordings", "delete", &first, "--yes"];
    refused(&daemon, &words, 6, "holds may be missing");
    refused(
        &daemon,
        &["retention", "run", "--yes"],
        6,
        "retention resume",
    );
    assert!(said(&daemon, &["retention", "show"]).contains("SUSPENDED"));
    assert!(said(&daemon, &["retention", "resume"]).contains("SUSPENDED"));
    refused(&daemon, &words, 6, "holds may be missing");
    let _ = said(&daemon, &["retention", "resume", "--yes"]);
    let _ = said(&daemon, &words);
}

#[test]
fn the_trail_is_asked_page_by_page_and_at_rest() {
    let (mut daemon, [first, _]) = two();
    for n in 0..6 {
        let tag = format!("t{n}");
        let _ = said(&daemon, &["tag", "add", &first, &tag]);
    }
    let page = daemon.json(&["audit", "--kind", "tagged", "--limit", "4"]);
    assert_eq!(kinds(&page).len(), 4, "{page}");
    let next = page["next"].as_str().expect("there is more").to_owned();
    let rest = daemon.json(&["audit", "--kind", "tagged", "--cursor", &next]);
    assert_eq!(kinds(&rest).len(), 2, "{rest}");
    let all = said(
        &daemon,
        &["--json", "audit", "--recording", &first, "--all"],
    );
    assert_eq!(all.lines().count(), 7, "imported and tagged: {all}");
    let seq = page["items"][0]["seq"]
        .as_u64()
        .expect("a number")
        .to_string();
    refused(&daemon, &["audit", "--kind", "tagged,plya"], 2, "plya");
    refused(&daemon, &["audit", "show", "999999"], 4, "no entry");
    let nobody = daemon.json(&["audit", "--person", "nobody-at-all"]);
    assert_eq!(kinds(&nobody).len(), 0, "{nobody}");
    let shown = said(&daemon, &["audit", "show", &seq]);
    assert!(shown.contains("callreel-checkpoint-1 "), "{shown}");
    let made = said(&daemon, &["audit", "checkpoint"]);
    assert!(made.starts_with("callreel-checkpoint-1 "), "{made}");
    let key = said(&daemon, &["audit", "key"]);
    assert!(key.starts_with("-----BEGIN PUBLIC KEY-----"), "{key}");
    let running = daemon.json(&["audit", "--recording", &first]);
    daemon.kill();
    let at_rest = offline(&daemon, &["audit", "--recording", &first]).json();
    assert_eq!(running["items"], at_rest["items"]);
    let proof = offline(&daemon, &["audit", "show", &seq]).json();
    assert!(proof["proof"]["checkpoint"].is_string(), "{proof}");
    assert_eq!(offline(&daemon, &["audit", "key"]).json()["pem"], key);
}

#[test]
fn a_check_tells_what_is_proved_and_by_which_key() {
    let (mut daemon, [first, _]) = two();
    let line = said(&daemon, &["audit", "checkpoint"]);
    let pem = daemon.folder().join("kept.pem");
    std::fs::write(&pem, said(&daemon, &["audit", "key"])).expect("the key");
    let pem = pem.to_string_lossy().into_owned();
    let checked = said(&daemon, &["check"]);
    assert!(checked.contains("in one chain"), "{checked}");
    assert!(checked.contains("NOT CHECKED"), "{checked}");
    let trusting = ["check", "--key", &pem, "--checkpoint-line", &line];
    let checked = said(&daemon, &trusting);
    assert!(!checked.contains("NOT CHECKED"), "{checked}");
    daemon.kill();
    let report = offline(&daemon, &trusting).json();
    assert_eq!(report["ledger"]["key_expected"], true, "{report}");
    assert_eq!(
        report["ledger"]["entries"], report["ledger"]["end"],
        "{report}"
    );
    // A letter of an entry is another.
    let ledger = daemon.data().join("ledger").join(format!("{:020}.log", 1));
    let text = std::fs::read_to_string(&ledger).expect("the ledger");
    let at = text.find("\"kind\":\"imported\",").expect("an import");
    // The first line is the segment's own, and the entry's own counts.
    let seq = text[..at].lines().count() - 1;
    std::fs::write(&ledger, text.replacen(&first, "7003", 1)).expect("changed");
    let found = offline(&daemon, &["check"]);
    assert_eq!(found.code, 1, "{}", found.stdout);
    assert!(
        found.stdout.contains(&format!("entry {seq}: ")),
        "{seq}: {}",
        found.stdout
    );
}
