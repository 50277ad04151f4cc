//! Where the certificate and the admin key come from, with the real daemon: made once and told
//! once, given as credentials, or refused with a code of their own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use harness::daemon::{Daemon, Setup};
use harness::http::Request;
use harness::tls::Certificate;
use harness::{cli, process};

/// The exit code of a certificate that cannot be used.
const CERTIFICATE: i32 = 13;

const FIRST_START: &str = "[first_start]\ncertificate = true\nadmin_key = true\n";

fn admin(daemon: &Daemon, key: &str) -> u16 {
    let request = Request::get("/admin/apps/nobody").with("X-Admin-API-Key", key);
    daemon.ask(&request).status
}

fn stop(daemon: &mut Daemon) {
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(daemon.wait_for_end(), 0);
}

/// Asks over HTTPS as a stranger would who trusts this certificate only.
fn curl(daemon: &Daemon, certificate: &Path) -> String {
    let (address, _) = daemon.endpoints().tls.as_ref().expect("HTTPS");
    let url = format!("https://localhost:{}/healthz", address.port());
    let certificate = certificate.to_string_lossy();
    let arguments = [
        "--silent",
        "--show-error",
        "--fail",
        "--cacert",
        &*certificate,
        &url,
    ];
    String::from_utf8_lossy(&process::run("curl", &arguments)).into_owned()
}

#[test]
fn what_the_first_start_makes_is_told_once_and_works() {
    let mut daemon = Setup::new().no_certificate().toml(FIRST_START).start();
    let keys = daemon.data().join("keys");
    let key = std::fs::read_to_string(keys.join("admin.key")).expect("an admin key");
    let key = key.trim();
    assert!(key.len() >= 43, "256 bits");
    for (name, mode) in [
        ("", 0o700),
        ("admin.key", 0o600),
        ("certificate.key", 0o600),
    ] {
        let found = std::fs::metadata(keys.join(name))
            .expect(name)
            .permissions()
            .mode();
        assert_eq!(found & 0o777, mode, "{name}");
    }
    assert_eq!(
        (admin(&daemon, key), admin(&daemon, "0123456789abcdefghi")),
        (404, 401)
    );
    let _ = curl(&daemon, &keys.join("certificate.pem"));
    let metrics = daemon.ask(&Request::get("/metrics"));
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(
        metrics.contains("\ncallreel_certificate_expiry_timestamp_seconds 2"),
        "{metrics}"
    );
    let made = std::fs::read(keys.join("certificate.pem")).expect("a certificate");
    stop(&mut daemon);
    for _ in 0..2 {
        daemon.start();
        assert_eq!(admin(&daemon, key), 404);
        stop(&mut daemon);
    }
    assert_eq!(
        std::fs::read(keys.join("certificate.pem")).expect("the same"),
        made
    );
    let log = daemon.log();
    for once in [
        key,
        "SHA-256 fingerprint",
        "first start: open https://127.0.0.1:",
    ] {
        assert_eq!(log.matches(once).count(), 1, "{once} in\n{log}");
    }
    // A start that was cut before it told anybody tells it at the next one.
    std::fs::write(keys.join("admin.untold"), "").expect("the mark");
    daemon.start();
    stop(&mut daemon);
    assert_eq!(daemon.log().matches(key).count(), 2);
    // A new key is made and told where the old one was removed, without a restart.
    daemon.start();
    std::fs::remove_file(keys.join("admin.key")).expect("removed");
    let _ = daemon.cli(&["reload"]).success();
    let fresh = std::fs::read_to_string(keys.join("admin.key")).expect("a new key");
    assert_eq!(
        (admin(&daemon, fresh.trim()), admin(&daemon, key)),
        (404, 401)
    );
    assert_eq!(daemon.log().matches(fresh.trim()).count(), 1);
}

#[test]
fn a_made_certificate_is_renewed_before_it_ends() {
    let mut daemon = Setup::new().no_certificate().toml(FIRST_START).start();
    let keys = daemon.data().join("keys");
    let made = std::fs::read(keys.join("certificate.pem")).expect("a certificate");
    stop(&mut daemon);
    let later = [
        "env",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "faketime",
        "-f",
        "+3640d",
    ];
    daemon.set_wrapper(&later);
    daemon.start();
    daemon.kill();
    let renewed = std::fs::read(keys.join("certificate.pem")).expect("a certificate");
    assert_ne!(renewed, made);
    assert_eq!(
        std::fs::read(keys.join("certificate.old.pem")).expect("kept"),
        made
    );
    assert!(
        daemon.log().contains("made at first start ends on"),
        "{}",
        daemon.log()
    );
}

/// The names of the keys that were made.
fn made(daemon: &Daemon) -> Vec<String> {
    let keys = std::fs::read_dir(daemon.data().join("keys")).expect("a folder of keys");
    let names = keys.map(|key| key.expect("an entry").file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

#[test]
fn without_first_start_there_is_no_admin_and_no_key() {
    let daemon = Setup::new().start();
    assert_eq!(admin(&daemon, "0123456789abcdefghi"), 503);
    assert_eq!(made(&daemon), ["ledger.pem"]);
}

#[test]
fn credentials_come_before_what_is_made() {
    let setup = Setup::new().no_certificate().toml(FIRST_START);
    let credentials = setup.folder().join("credentials");
    std::fs::create_dir(&credentials).expect("a folder");
    let given = Certificate::make(setup.folder());
    for (from, to) in [
        (&given.certificate, "callreel_certificate.pem"),
        (&given.key, "callreel_certificate.key"),
    ] {
        std::fs::copy(from, credentials.join(to)).expect("a credential");
    }
    let key = "credential-0123456789";
    std::fs::write(credentials.join("callreel_admin.key"), key).expect("a credential");
    let variable = format!("CREDENTIALS_DIRECTORY={}", credentials.display());
    let daemon = setup.under(&["env", &variable]).start();
    assert_eq!(admin(&daemon, key), 404);
    let _ = curl(&daemon, &credentials.join("callreel_certificate.pem"));
    assert_eq!(made(&daemon), ["ledger.pem"], "nothing else was made");
    assert!(!daemon.log().contains("first start"), "{}", daemon.log());
}

/// A certificate that ended in 2020.
fn expired(folder: &Path) -> Certificate {
    let made = Certificate::make(folder);
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("one");
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 2, 3);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    std::fs::write(&made.certificate, certificate.pem()).expect("written");
    std::fs::write(&made.key, key.serialize_pem()).expect("written");
    made
}

/// Starts a daemon that must not start; gives what it said.
fn refused(daemon: &mut Daemon) -> String {
    daemon.launch();
    assert_eq!(daemon.wait_for_end(), CERTIFICATE, "{}", daemon.log());
    let check = ["--config", &*daemon.config().to_string_lossy(), "--check"].map(str::to_owned);
    let check = cli::run("callreeld", &check, &[]).failure();
    assert_eq!(check.code, CERTIFICATE, "{}", check.stderr);
    format!("{}{}", daemon.log(), check.stderr)
}

#[test]
fn an_expired_certificate_is_refused_or_served_as_configured() {
    let setup = Setup::new().no_certificate();
    let table = expired(setup.folder()).table();
    // Preparing makes a certificate for the harness in the same folder: ours goes back after.
    let mut daemon = setup.toml(&table).prepare();
    let _ = expired(daemon.folder());
    let said = refused(&mut daemon);
    for wanted in [
        "certificate.pem",
        "expired on 2020-02-03",
        "reload-or-restart",
        "\"serve\"",
    ] {
        assert!(said.matches(wanted).count() >= 2, "{wanted}: {said}");
    }
    let text = std::fs::read_to_string(daemon.config()).expect("the configuration");
    let served = text.replace("[http.tls]", "[http.tls]\nexpired = \"serve\"");
    std::fs::write(daemon.config(), served).expect("written");
    daemon.start();
    assert!(
        daemon
            .log()
            .contains("it is served as http.tls.expired says"),
        "{}",
        daemon.log()
    );
}

#[test]
fn a_key_of_another_certificate_and_garbage_are_refused() {
    let mut daemon = Setup::new().prepare();
    let other = tempfile::tempdir().expect("a folder");
    let other = Certificate::make(other.path());
    let key = daemon.folder().join("key.pem");
    std::fs::copy(&other.key, &key).expect("another's key");
    let said = refused(&mut daemon);
    assert!(
        said.contains("key.pem does not belong to the certificate in"),
        "{said}"
    );
    std::fs::write(&key, "garbage").expect("written");
    assert!(refused(&mut daemon).contains("holds no private key"));
    let certificate = daemon.folder().join("certificate.pem");
    let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::copy(&other.key, &key).expect("a key");
    std::fs::write(&certificate, odd).expect("written");
    assert!(refused(&mut daemon).contains("certificate.pem"));
}

#[test]
fn a_certificate_that_ends_while_the_daemon_runs_stops_nothing() {
    let mut daemon = Setup::new().start();
    let _ = expired(daemon.folder());
    let _ = daemon.cli(&["reload"]).success();
    daemon.insist_alive();
    assert!(
        daemon.log().contains("stay as they are"),
        "{}",
        daemon.log()
    );
    assert_eq!(
        daemon
            .client(harness::http::Transport::Tls1)
            .send(&Request::get("/healthz"))
            .status,
        200
    );
}
