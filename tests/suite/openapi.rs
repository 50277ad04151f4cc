//! The API documents are true: schemathesis drives the daemon from each of them and finds no 5xx
//! and no answer that its document does not describe; the browsable page shows them.

use std::path::PathBuf;
use std::process::Command;

use harness::daemon::{Setup, TENANT};
use harness::http::Request;
use harness::process;
use serde_json::json;

use crate::calls::rig::{ADMIN_KEY, KEY, PLENTY, set_application, with_applications};
use crate::families::{Families, USER};

/// The version this was written against; installed once into the target folder.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

fn schemathesis() -> PathBuf {
    let folder = process::binaries().join("schemathesis");
    let program = folder.join("bin/schemathesis");
    if !program.exists() {
        let place = folder.to_string_lossy();
        process::run("python3", &["-m", "venv", "--clear", &place]);
        let pip = folder.join("bin/pip");
        process::run(
            &pip.to_string_lossy(),
            &["install", "--quiet", SCHEMATHESIS],
        );
    }
    program
}

#[test]
fn the_documents_are_true() {
    let setup =
        Setup::new().toml("[access]\nrequests_per_credential = 0\nrequests_per_address = 0\n");
    let rig = Families::with(with_applications(setup), "wav");
    let settings = json!({ "api_key": KEY, "rate_limit": PLENTY });
    assert_eq!(set_application(&rig.daemon, TENANT, &settings).status, 201);
    let base = format!("http://{}", rig.daemon.endpoints().plain);
    let session = rig.login();
    // Without this it would make tokens up, and lock its own address out of family 000.
    let credentials = format!(
        "[auth.openapi.tsid]\napi_key = \"{0}\"\n[auth.openapi.sid]\napi_key = \"{0}\"\n\
         [auth.openapi.Bearer]\nbearer = \"{0}\"\n\
         [auth.openapi.Basic]\nusername = \"{USER}\"\npassword = \"{1}\"\n\
         [auth.openapi.AdminKey]\napi_key = \"{ADMIN_KEY}\"\n",
        rig.tsid, rig.password
    );
    let folder = rig.daemon.folder();
    std::fs::write(folder.join("schemathesis.toml"), credentials).expect("its configuration");
    let program = schemathesis();
    let key = |key: &str| format!("X-API-Key: {key}");
    for (family, headers) in [
        (
            "play_audio_file",
            vec![format!("Authorization: Bearer {}", rig.tsid)],
        ),
        (
            "session_commands",
            vec![key(KEY), format!("X-App-ID: {TENANT}")],
        ),
        ("call_recording", vec![key(&rig.organization_key)]),
        ("voice_log", vec![format!("Sessionid: {session}")]),
        ("task_audio", vec![key(&rig.task_key)]),
    ] {
        let headers = headers.iter().flat_map(|header| ["--header", header]);
        let output = Command::new(&program)
            .current_dir(folder)
            .args([
                "run",
                &format!("{base}/openapi/{family}.json"),
                "--url",
                &base,
            ])
            .args(headers)
            .args(["--max-examples", "25", "--seed", "1"])
            // Streams of events do not end.
            .args(["--exclude-path-regex", "/events$"])
            .args([
                "--checks",
                "not_a_server_error,status_code_conformance,\
                    content_type_conformance,response_schema_conformance",
            ])
            .args(["--phases", "examples,coverage,fuzzing", "--workers", "1"])
            .output()
            .expect("schemathesis");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{family}:\n{told}");
    }
}

#[test]
fn the_documents_can_be_browsed_without_the_internet() {
    let daemon = Setup::new().start();
    for path in ["/docs", "/docs/app.js", "/docs/style.css"] {
        let answer = daemon.ask(&Request::get(path));
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        for elsewhere in ["http://", "https://", "//cdn"] {
            assert!(
                !answer.text().contains(elsewhere),
                "{path} names {elsewhere}"
            );
        }
    }
    for family in [
        "play_audio_file",
        "session_commands",
        "call_recording",
        "voice_log",
        "task_audio",
    ] {
        let answer = daemon.ask(&Request::get(&format!("/openapi/{family}.json")));
        assert_eq!(answer.status, 200, "{family}");
        assert_eq!(answer.json()["openapi"], "3.1.0", "{family}");
    }
}
