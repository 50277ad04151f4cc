//! What the configuration says of keeping: policies that come into force, those that would shrink
//! what is in force, a disk that is not mounted, a key that is gone, and who is told.

use harness::cli;
use harness::daemon::{Daemon, Setup, TENANT};
use harness::receiver::Receiver;
use harness::{sound, wait, wav};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support;

/// Exit codes (`callreeld --help`).
const DISK: i32 = 11;
const FOREIGN: i32 = 12;

fn policy(name: &str, rest: &str) -> String {
    format!("\n[[retention.policy]]\nname = '{name}'\n{rest}\n")
}

/// Puts other policies into the configuration's file.
fn rewrite(daemon: &Daemon, from: &str, to: &str) {
    let text = std::fs::read_to_string(daemon.config()).expect("the configuration");
    assert!(text.contains(from), "{text}");
    std::fs::write(daemon.config(), text.replace(from, to)).expect("written");
}

fn minimum(daemon: &Daemon) -> Option<u64> {
    let shown = daemon.json(&["retention", "show"]);
    shown["policies"][0]["keep_at_least_ms"].as_u64()
}

const YEAR_MS: u64 = 366 * 24 * 3_600_000;

#[test]
fn a_minimum_in_force_shrinks_only_when_a_person_says_so() {
    let mut daemon = Setup::new()
        .toml(&policy("all", "keep_at_least = '1 year'"))
        .start();
    assert_eq!(minimum(&daemon), Some(YEAR_MS));
    rewrite(&daemon, "'1 year'", "'1 day'");
    let refused = daemon.cli(&["reload"]).failure();
    assert!(
        refused.stderr.contains("would shrink"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("accept-shrink"),
        "{}",
        refused.stderr
    );
    assert_eq!(minimum(&daemon), Some(YEAR_MS), "nothing has changed");
    // Nor does a start change it, which is no reason not to record.
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_for_end(), 0);
    daemon.start();
    assert_eq!(minimum(&daemon), Some(YEAR_MS));
    assert!(daemon.log().contains("would shrink"), "{}", daemon.log());
    let shown = daemon.json(&["retention", "accept-shrink"]);
    assert_eq!(
        shown["shrinks"].as_array().map(Vec::len),
        Some(1),
        "{shown}"
    );
    assert_eq!(minimum(&daemon), Some(YEAR_MS), "a look is no consent");
    let _ = daemon.json(&["retention", "accept-shrink", "--yes"]);
    assert_eq!(minimum(&daemon), Some(YEAR_MS / 366));
    let told = daemon.json(&["audit", "--kind", "policy"]);
    assert_eq!(told["items"][0]["who"]["kind"], "command", "{told}");
    assert_eq!(told["items"][1]["who"]["name"], "configuration", "{told}");
    // What grows needs nobody.
    rewrite(&daemon, "'1 day'", "'2 years'");
    let _ = daemon.cli(&["reload"]).success();
    assert_eq!(minimum(&daemon), Some(2 * YEAR_MS));
}

#[test]
fn policies_wait_for_their_tenant_and_delete_nothing_until_then() {
    let daemon = Setup::new()
        .toml(&policy(
            "later",
            "tenant = 'later'\nkeep_at_least = '1 year'",
        ))
        .start();
    assert_eq!(minimum(&daemon), None);
    assert!(
        daemon.log().contains("callreel tenant add later"),
        "{}",
        daemon.log()
    );
    let _ = daemon.cli(&["tenant", "add", "later"]).success();
    wait::until("the policy to be in force", || {
        (minimum(&daemon) == Some(YEAR_MS)).then_some(())
    });
}

#[test]
fn what_is_too_old_goes_and_what_is_held_or_young_stays() {
    let policies = format!(
        "[retention]\npass_every_s = 1\n{}",
        policy("all", "keep_at_least = '1 day'\nkeep_at_most = '1 year'")
    );
    // The setting comes before the tables.
    let daemon = Setup::new().start();
    let tone = daemon.folder().join("tone.wav");
    let samples = sound::tone(440.0, 0.5, 16_000, 1.0);
    std::fs::write(&tone, wav::write(&samples, 1, 16_000)).expect("a tone");
    for (recid, start) in [
        ("7001", "2020-01-01T00:00:00Z"),
        ("7002", "2020-01-02T00:00:00Z"),
        ("7003", "2026-11-20T00:00:00Z"),
    ] {
        let _ = support::import(&daemon, &tone, &["--recid", recid, "--start", start]);
    }
    let reason = ["hold", "set", "7001", "--reason", "case 7"];
    let _ = daemon.cli(&reason).success();
    let text = std::fs::read_to_string(daemon.config()).expect("the configuration");
    std::fs::write(daemon.config(), format!("{text}\n{policies}")).expect("written");
    let _ = daemon.cli(&["reload"]).success();
    let there = || {
        let list = daemon.json(&["recordings", "list", "--tenant", TENANT, "--all"]);
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let recids = items.iter().filter_map(|item| item["recid"].as_str());
        let mut recids: Vec<String> = recids.map(str::to_owned).collect();
        recids.sort();
        recids
    };
    wait::until("the old one to go", || {
        (there() == ["7001", "7003"]).then_some(())
    });
    let told = daemon.json(&["audit", "--recording", "7002", "--kind", "deleted"]);
    let why = told["items"][0]["details"]["why"].as_str();
    assert!(why.is_some_and(|why| why.contains("'all'")), "{told}");
    let _ = daemon.cli(&["check"]).success();
}

#[test]
fn an_empty_mount_point_is_not_written_into() {
    let setup = Setup::new();
    let expected = format!("expect_mount = '{}'", setup.folder().display());
    let mut daemon = setup.storage(&expected).prepare();
    daemon.launch();
    assert_eq!(daemon.wait_for_end(), DISK, "{}", daemon.log());
    assert!(
        daemon.log().contains("nothing is mounted at"),
        "{}",
        daemon.log()
    );
    let written = std::fs::read_dir(daemon.data()).map_or(0, Iterator::count);
    assert_eq!(written, 0);
}

#[test]
fn a_key_that_is_gone_is_missed_and_a_new_one_is_told() {
    let mut daemon = Setup::new().start();
    let key = daemon.json(&["audit", "key"]);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_for_end(), 0);
    std::fs::remove_file(daemon.data().join("keys/ledger.pem")).expect("the key");
    daemon.launch();
    assert_eq!(daemon.wait_for_end(), FOREIGN, "{}", daemon.log());
    let log = daemon.log();
    let id = key["key_id"].as_str().expect("an id");
    assert!(log.contains(id) && log.contains("new-key"), "{log}");
    let data = daemon.data().to_string_lossy().into_owned();
    let words = ["audit", "new-key", "--data-dir", &data];
    let made = cli::run("callreel", &[&["--json"], &words[..]].concat(), &[]);
    let made: Value = made.success().json();
    assert_ne!(made["key_id"], key["key_id"]);
    let again = cli::run("callreel", &words, &[]).failure();
    assert!(again.stderr.contains("ledger.pem"), "{}", again.stderr);
    daemon.start();
    let told = daemon.json(&["audit", "--kind", "signing_key"]);
    assert_eq!(told["items"][0]["details"]["key"], made["key_id"], "{told}");
    let _ = daemon.cli(&["check"]).success();
}

#[test]
fn alarms_are_posted_signed_and_again_until_they_are_taken() {
    let mut receiver = Receiver::start();
    let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    receiver.set_secret(secret);
    receiver.stop();
    let setup = Setup::new();
    let file = setup.folder().join("secret");
    std::fs::write(&file, format!("{secret}\n")).expect("the secret");
    // A tenant that is not there is something to tell of.
    let tables = format!(
        "[webhooks]\nallow = ['127.0.0.0/8']\n[alarms]\nwebhook = '{}'\n\
         webhook_secret_file = '{}'\n{}",
        receiver.url(),
        file.display(),
        policy("later", "tenant = 'later'\nkeep_at_least = '1 year'")
    );
    let daemon = setup.toml(&tables).start();
    wait::until("a receiver that is not there to be told of", || {
        daemon.log().contains("cannot be posted").then_some(())
    });
    receiver.restart();
    let told = |state: &str| {
        let accepted = receiver.accepted();
        accepted.into_iter().find(|delivery| {
            let data = &delivery.body["data"];
            data["alarm"] == "retention_shrinks" && data["state"] == state
        })
    };
    let first = wait::until("the alarm", || told("error").or_else(|| told("warning")));
    assert_eq!(first.event, "appliance.alarm");
    let text = first.body["data"]["text"].to_string();
    assert!(text.contains("'later'"), "{text}");
    let _ = daemon.cli(&["tenant", "add", "later"]).success();
    let _ = wait::until("its end", || told("over"));
}
