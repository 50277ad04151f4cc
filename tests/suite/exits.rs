//! What keeps the daemon from starting: each trouble has an exit code of its own, on which the
//! unit does not start it again, and a message that says how to mend it.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use harness::daemon::{Daemon, Setup};
use harness::process;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

/// Starts a daemon that must not come up, and insists on its code and on words of its message.
fn refused(daemon: &mut Daemon, code: i32, words: &[&str]) {
    let before = daemon.log().len();
    daemon.launch();
    let ended = daemon.wait_for_end();
    let log = daemon.log();
    let said = &log[before..];
    assert_eq!(ended, code, "{said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "'{word}' is missing: {said}");
    }
    assert!(
        not_restarted().contains(&code.to_string()),
        "callreeld.service would start again on {code}"
    );
}

/// The codes on which the unit stays down.
fn not_restarted() -> Vec<String> {
    let unit = process::repository().join("systemd/callreeld.service");
    let unit = std::fs::read_to_string(unit).expect("the unit");
    let codes = unit
        .lines()
        .find_map(|line| line.strip_prefix("RestartPreventExitStatus="));
    let codes = codes.expect("RestartPreventExitStatus=").split_whitespace();
    codes.map(str::to_owned).collect()
}

fn readable(path: &Path, mode: u32) {
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, mode).expect("a mode");
}

#[test]
fn a_port_in_use() {
    let mut daemon = Setup::new().prepare();
    let plain = daemon.endpoints().plain;
    let other = TcpListener::bind(plain).expect("the port");
    let port = format!("sport = :{}", plain.port());
    refused(&mut daemon, 10, &[&plain.to_string(), &port, "http.listen"]);
    drop(other);
    daemon.start();
}

#[test]
fn an_address_that_this_machine_has_not() {
    let mut daemon = Setup::new().prepare();
    let text = std::fs::read_to_string(daemon.config()).expect("the configuration");
    let plain = format!("listen = [\"{}\"]", daemon.endpoints().plain);
    let text = text.replace(&plain, "listen = [\"192.0.2.77:8080\"]");
    std::fs::write(daemon.config(), text).expect("the configuration");
    refused(&mut daemon, 10, &["192.0.2.77:8080", "no such address"]);
}

/// Another user's folder, and another user's configuration.
#[test]
#[cfg_attr(not(is_root), ignore = "needs root, to be another user")]
fn wrong_permissions() {
    let nobody = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--",
    ];
    let mut daemon = Setup::new().under(&nobody).prepare();
    readable(daemon.config(), 0o600);
    readable(daemon.folder(), 0o755);
    let config = daemon.config().display().to_string();
    refused(&mut daemon, 5, &[&config, "this user may read it"]);
    readable(daemon.config(), 0o644);
    let data = daemon.data().display().to_string();
    refused(&mut daemon, 5, &[&data, "chown -R", "nobody"]);
    // An index that another user's daemon made.
    let folder = daemon.folder().to_owned();
    for name in ["certificate.pem", "key.pem"] {
        let path = folder.join(name);
        if path.exists() {
            readable(&path, 0o600);
        }
    }
    nix::unistd::chown(&daemon.data(), Some(65_534.into()), Some(65_534.into())).expect("chown");
    nix::unistd::chown(&folder, Some(65_534.into()), Some(65_534.into())).expect("chown");
    refused(
        &mut daemon,
        5,
        &["http.tls", "let the daemon's user read it"],
    );
}

#[test]
#[cfg_attr(
    not(can_mount),
    ignore = "needs a mount namespace: root, or user namespaces"
)]
fn a_read_only_file_system() {
    let mut daemon = Setup::new().prepare();
    let data = daemon.data().display().to_string();
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";
    let mut wrapper = vec!["unshare", "--mount"];
    if !geteuid().is_root() {
        wrapper.extend(["--user", "--map-root-user"]);
    }
    wrapper.extend(["sh", "-c", script, &data]);
    daemon.set_wrapper(&wrapper);
    let writable = format!("ReadWritePaths={data}");
    refused(&mut daemon, 11, &[&data, "read-only", &writable]);
    daemon.set_wrapper(&[]);
    daemon.start();
}

/// An index of a later version, and one that is none.
#[test]
fn a_foreign_index() {
    let mut daemon = Setup::new().start();
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_for_end(), 0);
    let path = daemon.data().join("index.redb");
    {
        let meta = redb::TableDefinition::<&str, &[u8]>::new("meta");
        let index = redb::Database::open(&path).expect("the index");
        let change = index.begin_write().expect("a change");
        let mut table = change.open_table(meta).expect("its table");
        let later = 9_999_u32.to_be_bytes();
        table
            .insert("schema", later.as_slice())
            .expect("a later schema");
        drop(table);
        change.commit().expect("durable");
    }
    refused(&mut daemon, 12, &["schema 9999", "upgrade"]);
    std::fs::write(&path, "This is no index.\n".repeat(1_000)).expect("another file");
    refused(&mut daemon, 12, &["index", "callreel reindex"]);
}

#[test]
fn a_certificate_that_cannot_be_used() {
    let mut daemon = Setup::new().prepare();
    let text = std::fs::read_to_string(daemon.config()).expect("the configuration");
    let path = text
        .lines()
        .find_map(|line| line.strip_prefix("certificate = \""));
    let path = path
        .expect("http.tls.certificate")
        .trim_end_matches('"')
        .to_owned();
    let certificate = std::fs::read(&path).expect("the certificate");
    std::fs::write(&path, "-----BEGIN NONSENSE-----\n").expect("garbage");
    refused(&mut daemon, 13, &["http.tls", &path]);
    // A file that the configuration names and that is not there is the configuration's fault.
    std::fs::remove_file(&path).expect("no certificate");
    refused(&mut daemon, 2, &["http.tls.certificate", &path]);
    std::fs::write(&path, certificate).expect("the certificate");
    daemon.start();
}

/// A second daemon is refused because of the store; one with a store of its own because of the
/// control socket.
#[test]
fn a_second_daemon() {
    let mut first = Setup::new().start();
    let config = first.config().to_string_lossy().into_owned();
    let second = harness::cli::run("callreeld", &["--config", &config], &[]).failure();
    assert_eq!(second.code, 6, "{}", second.stderr);
    assert!(
        second.stderr.contains("in use by another process"),
        "{}",
        second.stderr
    );

    let mut other = Setup::new().prepare();
    let text = std::fs::read_to_string(other.config()).expect("the configuration");
    let socket = |daemon: &Daemon| daemon.folder().join("control.sock").display().to_string();
    let text = text.replace(&socket(&other), &socket(&first));
    std::fs::write(other.config(), text).expect("the configuration");
    refused(
        &mut other,
        6,
        &["a daemon is running already", "control.socket"],
    );
    first.insist_alive();
}
