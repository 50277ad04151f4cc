//! Sockets that the service manager holds: they replace what the configuration says, outlive the
//! daemon, and keep whoever connects waiting while it restarts.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use harness::daemon::{Daemon, Setup};
use harness::http::{Request, Transport};
use nix::sys::signal::Signal;

/// A daemon whose sockets this test holds, at the addresses that its configuration names: it could
/// not bind them itself.
fn activated() -> Daemon {
    let mut daemon = Setup::new().prepare();
    let endpoints = daemon.endpoints().clone();
    let plain = TcpListener::bind(endpoints.plain).expect("the plain port");
    let (tls, _) = endpoints.tls.expect("TLS");
    let tls = TcpListener::bind(tls).expect("the TLS port");
    let control = daemon.folder().join("control.sock");
    let control = UnixListener::bind(control).expect("the control socket");
    daemon.pass("control", control);
    daemon.pass("https", tls);
    daemon.pass("http", plain);
    daemon
}

/// Connects and asks, and leaves the answer for later.
fn ask(daemon: &Daemon) -> TcpStream {
    let mut stream = TcpStream::connect(daemon.endpoints().plain).expect("a connection");
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).expect("a limit");
    let request = "GET /healthz HTTP/1.1\r\nHost: callreel\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("a request");
    stream
}

fn insist_answered(mut stream: TcpStream) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn connections_wait_in_passed_sockets_while_no_daemon_runs() {
    let mut daemon = activated();
    let early = ask(&daemon);
    daemon.start();
    insist_answered(early);
    assert_eq!(
        daemon
            .client(Transport::Tls2)
            .send(&Request::get("/readyz"))
            .status,
        200
    );
    let status = daemon.json(&["status"]);
    let served = status["listen"].to_string();
    let plain = daemon.endpoints().plain;
    assert!(served.contains(&format!("http://{plain}")), "{served}");
    assert!(served.contains("https://"), "{served}");
    let log = daemon.log();
    assert!(
        log.contains("the service manager's socket, not http.listen"),
        "{log}"
    );
    // Programs that the daemon starts do not inherit them.
    for number in 3..6 {
        let path = format!("/proc/{}/fdinfo/{number}", daemon.id());
        let facts = std::fs::read_to_string(&path).expect("facts of a descriptor");
        let flags = facts.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = u32::from_str_radix(flags.expect("flags").trim(), 8).expect("octal");
        assert_ne!(flags & 0o2_000_000, 0, "close-on-exec of {number}: {facts}");
    }

    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_for_end(), 0, "{}", daemon.log());
    let path = daemon.folder().join("control.sock");
    assert!(
        path.exists(),
        "the control socket is not the daemon's to remove"
    );
    let waiting: Vec<TcpStream> = (0..20).map(|_| ask(&daemon)).collect();
    let operator = UnixStream::connect(&path).expect("a connection that waits");
    daemon.start();
    waiting.into_iter().for_each(insist_answered);
    drop(operator);
    assert_eq!(daemon.json(&["status"])["progressing"], true);
}

/// Several workers on one socket: everybody is answered, and nobody twice.
#[test]
fn all_workers_serve_a_passed_socket() {
    let mut daemon = activated();
    let text = std::fs::read_to_string(daemon.config()).expect("the configuration");
    let text = text.replace("workers = 1", "workers = 4");
    std::fs::write(daemon.config(), text).expect("the configuration");
    daemon.start();
    for _ in 0..5 {
        let all: Vec<TcpStream> = (0..40).map(|_| ask(&daemon)).collect();
        all.into_iter().for_each(insist_answered);
    }
    daemon.insist_alive();
}

/// Only the sockets that are passed are replaced.
#[test]
fn what_is_not_passed_is_opened_as_configured() {
    let mut daemon = Setup::new().prepare();
    let plain = TcpListener::bind(daemon.endpoints().plain).expect("the plain port");
    daemon.pass("http", plain);
    daemon.start();
    assert_eq!(
        daemon
            .client(Transport::Tls1)
            .send(&Request::get("/readyz"))
            .status,
        200
    );
    assert_eq!(daemon.json(&["status"])["progressing"], true);
    let path = daemon.folder().join("control.sock");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_for_end(), 0);
    assert!(!path.exists(), "its own control socket goes with it");
}

/// Sockets that cannot be what their name says.
#[test]
fn sockets_that_cannot_be_used_are_named() {
    let refused = |name: &str, socket: std::os::fd::OwnedFd, words: &str| {
        let mut daemon = Setup::new().prepare();
        daemon.pass(name, socket);
        daemon.launch();
        assert_eq!(daemon.wait_for_end(), 2, "{}", daemon.log());
        let log = daemon.log();
        assert!(log.contains(words) && log.contains(name), "{words}: {log}");
    };
    let tcp = || TcpListener::bind("127.0.0.1:0").expect("a port").into();
    refused("callreeld-http.socket", tcp(), "FileDescriptorName=");
    refused("control", tcp(), "not a Unix socket");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port").into();
    refused("https", udp, "listening stream socket");
}
