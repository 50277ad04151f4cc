//! The API documents are true: schemathesis drives the daemon from each of them and finds no 5xx
//! and no answer that its document does not describe; the browsable page shows them.

use std::path::PathBuf;
use std::process::Command;

use harness::daemon::{Daemon, Setup, TENANT};
use harness::duplex::Duplex;
use harness::http::Request;
use harness::{process, wait};
use serde_json::{Value, json};

use crate::calls::rig::{ADMIN_KEY, KEY, PLENTY, set_application, with_applications};
use crate::families::{Families, USER};
use crate::{calls, support};

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

/// A call that is answered, on a line; its UUID.
fn open(daemon: &Daemon, line: &str) -> String {
    let post = |target: &str, body: Value| {
        let request = calls::rig::Rig::request("POST", target);
        daemon.ask(&request.body(body.to_string().as_bytes()))
    };
    let call = wait::until("the line's devices", || {
        let answer = post("/api/v1/sessions", json!({ "line": line }));
        (answer.status == 201).then(|| support::word(&answer.json(), "session_uuid"))
    });
    let answer = post(
        &format!("/api/v1/sessions/{call}/commands/answer"),
        json!({}),
    );
    assert_eq!(answer.status, 202, "{}", answer.text());
    call
}

#[test]
fn the_documents_are_true() {
    let setup =
        Setup::new().toml("[access]\nrequests_per_credential = 0\nrequests_per_address = 0\n");
    let setup = with_applications(setup);
    let duplex = Duplex::start(setup.folder(), 2);
    let line = |at| format!("{}trigger = \"api\"\n", Duplex::devices(at));
    let setup = setup.alsa(duplex.alsa()).line("calls", &line(0));
    let rig = Families::with(setup.line("ends", &line(1)), "wav");
    let settings = json!({ "api_key": KEY, "rate_limit": PLENTY });
    assert_eq!(set_application(&rig.daemon, TENANT, &settings).status, 201);
    let sessions = ["calls", "ends"].map(|line| open(&rig.daemon, line));
    let base = format!("http://{}", rig.daemon.endpoints().plain);
    let session = rig.login();
    // Without these it would make tokens up, and lock its own address out of family 000; and no
    // command would find its call. The one that ends a call has a call of its own.
    let credentials = format!(
        "[auth.openapi.tsid]\napi_key = \"{0}\"\n[auth.openapi.sid]\napi_key = \"{0}\"\n\
         [auth.openapi.Bearer]\nbearer = \"{0}\"\n\
         [auth.openapi.Basic]\nusername = \"{USER}\"\npassword = \"{1}\"\n\
         [auth.openapi.AdminKey]\napi_key = \"{ADMIN_KEY}\"\n\
         [parameters]\n\"path.uuid\" = \"{2}\"\n\
         [[operations]]\ninclude-path-regex = \"/hangup$\"\n\
         parameters = {{ \"path.uuid\" = \"{3}\" }}\n",
        rig.tsid, rig.password, sessions[0], sessions[1]
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
        ("supervisor", vec![format!("Authorization: Bearer {session}")]),
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
        "supervisor",
    ] {
        let answer = daemon.ask(&Request::get(&format!("/openapi/{family}.json")));
        assert_eq!(answer.status, 200, "{family}");
        assert_eq!(answer.json()["openapi"], "3.1.0", "{family}");
    }
}
