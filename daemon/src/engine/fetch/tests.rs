//! Fetches from servers on loopback: what is fetched, what is refused before a byte is sent, and
//! what is given up. Nothing leaves the machine.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use storage::record::Container;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use super::client::Client;
use super::resolve::{Resolver, Resolving};
use super::trust::Trust;
use super::*;

/// Answers each connection with the next of its answers (the last one again and again), counts
/// connections and keeps the requests.
struct Server {
    port: u16,
    accepted: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self::on(listener, answers, None)
    }

    fn on(
        listener: TcpListener,
        answers: Vec<Vec<u8>>,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            accepted: Arc::default(),
            requests: Arc::default(),
        };
        let (accepted, requests) = (server.accepted.clone(), server.requests.clone());
        let mut answers = VecDeque::from(answers);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let answer = match answers.len() {
                    1 => answers[0].clone(),
                    _ => answers.pop_front().unwrap(),
                };
                let (requests, tls) = (requests.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => reply(stream, &answer, &requests).await,
                        Some(tls) => {
                            if let Ok(secure) = tls.accept(stream).await {
                                reply(secure, &answer, &requests).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// An empty answer is none: the connection stays open and silent.
async fn reply(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &[u8],
    requests: &Mutex<Vec<String>>,
) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read_buf(&mut request).await {
            Ok(1..) => {}
            _ => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    requests.lock().unwrap().push(request);
    if answer.is_empty() {
        std::future::pending::<()>().await;
    }
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
}

pub(in crate::engine) fn answer(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

fn redirect(to: &str) -> Vec<u8> {
    answer("302 Found", &[&format!("Location: {to}")], b"")
}

/// A tenth of a second of silence.
fn wav() -> Vec<u8> {
    let sound = 1_600_u32;
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + sound).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&8_000_u32.to_le_bytes());
    file.extend_from_slice(&16_000_u32.to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&sound.to_le_bytes());
    file.resize(44 + sound as usize, 0);
    file
}

struct Rig {
    fetcher: Fetcher,
    into: PathBuf,
    _folder: tempfile::TempDir,
}

fn rig(allow: &[&str], resolver: Arc<dyn Resolver>, trust: Trust) -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("fetched");
    std::fs::write(&into, b"").unwrap();
    let config = Fetch {
        allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
    };
    Rig {
        fetcher: Fetcher::assemble(config, Client { resolver, trust }),
        into,
        _folder: folder,
    }
}

fn loopback() -> Rig {
    rig(&["127.0.0.0/8"], Arc::new(resolve::System), Trust::system())
}

impl Rig {
    async fn fetch(&self, url: &str) -> Result<Fetched, FetchError> {
        self.fetcher.fetch(url, &self.into, None).await
    }
}

/// Answers look-ups from a list, one after the other.
struct Scripted(Mutex<VecDeque<Vec<&'static str>>>);

fn scripted(answers: &[&[&'static str]]) -> Arc<Scripted> {
    let answers = answers.iter().map(|answer| answer.to_vec()).collect();
    Arc::new(Scripted(Mutex::new(answers)))
}

impl Resolver for Scripted {
    fn resolve<'a>(&'a self, _host: &'a str) -> Resolving<'a> {
        let next = self.0.lock().unwrap().pop_front();
        let found = next.ok_or(io::Error::from(io::ErrorKind::NotFound));
        Box::pin(async move { Ok(found?.iter().map(|text| text.parse().unwrap()).collect()) })
    }
}

#[tokio::test]
async fn a_sound_is_fetched_with_its_tag_and_life() {
    let headers = [
        "Content-Type: audio/wav",
        "ETag: \"a1\"",
        "Cache-Control: max-age=60",
    ];
    let server = Server::start(vec![answer("200 OK", &headers, &wav())]).await;
    let rig = loopback();
    let fetched = rig.fetch(&server.url("/a.wav?b=c%20d#e")).await.unwrap();
    let Fetched::Sound {
        facts,
        etag,
        fresh_for,
    } = fetched
    else {
        panic!("{fetched:?}");
    };
    assert_eq!(facts.container, Container::Wav);
    assert_eq!(facts.frames.0, 800);
    assert_eq!(etag.as_deref(), Some("\"a1\""));
    assert_eq!(fresh_for, Duration::from_secs(60));
    assert_eq!(std::fs::read(&rig.into).unwrap(), wav());
    let request = server.requests().remove(0).to_ascii_lowercase();
    assert!(
        request.starts_with("get /a.wav?b=c%20d http/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains(&format!("\r\nhost: 127.0.0.1:{}\r\n", server.port)));
    assert!(request.contains("\r\naccept-encoding: identity\r\n"));
}

#[tokio::test]
async fn a_known_tag_is_asked_with() {
    let server = Server::start(vec![answer("304 Not Modified", &[], b"")]).await;
    let rig = loopback();
    let url = server.url("/");
    let known = rig.fetcher.fetch(&url, &rig.into, Some("\"a1\"")).await;
    assert!(matches!(known, Ok(Fetched::Unchanged)));
    assert!(server.requests()[0].contains("if-none-match: \"a1\"\r\n"));
    assert!(matches!(
        rig.fetch(&url).await,
        Err(FetchError::Status(304))
    ));
}

#[tokio::test]
async fn refused_addresses_see_no_connection() {
    let server = Server::start(vec![answer("200 OK", &[], &wav())]).await;
    let port = server.port;
    let rig = rig(&[], Arc::new(resolve::System), Trust::system());
    for host in [
        "127.0.0.1",
        "localhost",
        "0177.0.0.1",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "0.0.0.0",
        "[::]",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        let fetched = rig.fetch(&format!("http://{host}:{port}/")).await;
        assert!(matches!(fetched, Err(FetchError::Refused(_))), "{host}");
        let inspected = rig.fetcher.inspect(&format!("http://{host}:{port}/")).await;
        assert!(matches!(inspected, Err(FetchError::Refused(_))), "{host}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_redirect_to_a_refused_address_is_refused() {
    let target = Server::start(vec![answer("200 OK", &[], &wav())]).await;
    let inner = format!("http://127.0.0.2:{}/", target.port);
    let from = Server::start(vec![redirect(&inner)]).await;
    let rig = rig(
        &["127.0.0.1/32"],
        Arc::new(resolve::System),
        Trust::system(),
    );
    let fetched = rig.fetch(&from.url("/")).await;
    let refused = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    assert!(matches!(fetched, Err(FetchError::Refused(address)) if address == refused));
    for to in [
        "file:///etc/passwd",
        "http://u:p@127.0.0.1/",
        "ftp://127.0.0.1/",
    ] {
        let from = Server::start(vec![redirect(to)]).await;
        assert!(
            matches!(rig.fetch(&from.url("/")).await, Err(FetchError::Url)),
            "{to}"
        );
    }
    assert_eq!((target.connections(), from.connections()), (0, 1));
}

#[tokio::test]
async fn redirects_are_followed_up_to_a_maximum() {
    let sound = answer("200 OK", &[], &wav());
    let hop = || redirect("/next");
    let three = Server::start(vec![hop(), hop(), hop(), sound.clone()]).await;
    let rig = loopback();
    assert!(matches!(
        rig.fetch(&three.url("/")).await,
        Ok(Fetched::Sound { .. })
    ));
    let four = Server::start(vec![hop(), hop(), hop(), hop(), sound]).await;
    let fetched = rig.fetch(&four.url("/")).await;
    assert!(matches!(fetched, Err(FetchError::Redirects(3))));
    assert_eq!(four.connections(), 4);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_held_to_what_was_checked() {
    let server = Server::start(vec![answer("200 OK", &[], &wav())]).await;
    let url = format!("http://rebind.test:{}/", server.port);
    // Asked a second time it would lead to a refused address: it is asked once.
    let names = scripted(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let rig1 = rig(&["127.0.0.1/32"], names.clone(), Trust::system());
    assert!(rig1.fetch(&url).await.is_ok());
    assert_eq!(names.0.lock().unwrap().len(), 1);
    let request = server.requests().remove(0);
    assert!(request.contains(&format!("host: rebind.test:{}\r\n", server.port)));
    // Asked again for a redirect, it is checked again.
    let hop = Server::start(vec![redirect("/again")]).await;
    let url = format!("http://rebind.test:{}/", hop.port);
    let names = scripted(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let rig2 = rig(&["127.0.0.1/32"], names, Trust::system());
    assert!(matches!(
        rig2.fetch(&url).await,
        Err(FetchError::Refused(_))
    ));
    assert_eq!(hop.connections(), 1);
    // One bad address among good ones is enough.
    let names = scripted(&[&["127.0.0.1", "::ffff:169.254.169.254"], &[]]);
    let rig3 = rig(&["127.0.0.1/32"], names, Trust::system());
    assert!(matches!(
        rig3.fetch(&url).await,
        Err(FetchError::Refused(_))
    ));
    assert!(matches!(
        rig3.fetch(&url).await,
        Err(FetchError::Resolve(None))
    ));
    assert!(matches!(
        rig3.fetch(&url).await,
        Err(FetchError::Resolve(Some(_)))
    ));
    assert_eq!(hop.connections(), 1);
}

#[tokio::test]
async fn what_is_no_sound_is_refused() {
    let page = b"<html><body>not a sound, and long enough to tell</body></html>".as_slice();
    let rig = loopback();
    for (headers, body) in [
        (["Content-Type: text/html"], page),
        (["Content-Type: audio/wav"], page),
        (["Content-Type: audio/wav"], b""),
        (["Content-Type: text/html"], b"short"),
        (["Content-Type: audio/wav"], &wav()[..20]),
    ] {
        let server = Server::start(vec![answer("200 OK", &headers, body)]).await;
        let fetched = rig.fetch(&server.url("/")).await;
        assert!(
            matches!(fetched, Err(FetchError::NotAudio(_))),
            "{headers:?} {fetched:?}"
        );
    }
    let server = Server::start(vec![answer(
        "200 OK",
        &["Content-Type: text/plain"],
        &wav(),
    )])
    .await;
    assert!(rig.fetch(&server.url("/")).await.is_ok(), "sniffed");
    let coded = answer("200 OK", &["Content-Encoding: gzip"], &wav());
    let server = Server::start(vec![coded]).await;
    assert!(matches!(
        rig.fetch(&server.url("/")).await,
        Err(FetchError::Coded)
    ));
    for status in [
        "404 Not Found",
        "204 No Content",
        "206 Partial Content",
        "500 No",
    ] {
        let server = Server::start(vec![answer(status, &[], &wav())]).await;
        let fetched = rig.fetch(&server.url("/")).await;
        assert!(matches!(fetched, Err(FetchError::Status(_))), "{status}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_given_up() {
    let rig = loopback();
    let told = b"HTTP/1.1 200 OK\r\nContent-Length: 50000001\r\n\r\nRIFF".to_vec();
    let server = Server::start(vec![told]).await;
    let fetched = rig.fetch(&server.url("/")).await;
    assert!(matches!(fetched, Err(FetchError::TooLarge(50_000_000))));
    let mut untold = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    untold.extend_from_slice(&wav());
    untold.resize(50_000_200, 0);
    let server = Server::start(vec![untold]).await;
    let fetched = rig.fetch(&server.url("/")).await;
    assert!(matches!(fetched, Err(FetchError::TooLarge(50_000_000))));
    assert!(std::fs::metadata(&rig.into).unwrap().len() <= 50_000_000);
}

#[tokio::test]
async fn broken_answers_are_errors() {
    let rig = loopback();
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nRIFF".to_vec();
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000)).into_bytes();
    for bytes in [cut, long, b"SSH-2.0-x\r\n".to_vec()] {
        let server = Server::start(vec![bytes]).await;
        let fetched = rig.fetch(&server.url("/")).await;
        assert!(
            matches!(fetched, Err(FetchError::Transport(_))),
            "{fetched:?}"
        );
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let fetched = rig.fetch(&format!("http://127.0.0.1:{port}/")).await;
    assert!(matches!(fetched, Err(FetchError::Transport(_))));
    let server = Server::start(vec![answer("200 OK", &[], &wav())]).await;
    let nowhere = rig.into.join("no/where");
    let fetched = rig.fetcher.fetch(&server.url("/"), &nowhere, None).await;
    assert!(matches!(fetched, Err(FetchError::Io(_))));
}

#[tokio::test(start_paused = true)]
async fn silence_is_given_up() {
    let server = Server::start(vec![Vec::new()]).await;
    let rig = loopback();
    let fetched = rig.fetch(&server.url("/")).await;
    assert!(matches!(
        fetched,
        Err(FetchError::TimedOut(limits::FETCH_WHOLE))
    ));
}

#[tokio::test]
async fn https_servers_prove_who_they_are() {
    let made = rcgen::generate_simple_self_signed(vec!["sounds.test".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let down = redirect("http://sounds.test/");
    let answers = vec![answer("200 OK", &[], &wav()), down];
    let server = Server::on(listener, answers, Some(acceptor));
    let trusting = || {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        Trust::of(roots)
    };
    let names = || scripted(&[&["127.0.0.1"], &["127.0.0.1"], &["127.0.0.1"]]);
    let known = rig(&["127.0.0.0/8"], names(), trusting());
    let url = |host: &str| format!("https://{host}:{}/", server.port);
    assert!(known.fetch(&url("sounds.test")).await.is_ok());
    let other = known.fetch(&url("other.test")).await;
    assert!(matches!(other, Err(FetchError::Transport(_))), "{other:?}");
    let down = known.fetch(&url("sounds.test")).await;
    assert!(matches!(down, Err(FetchError::Downgrade)), "{down:?}");
    let nobody = Trust::of(rustls::RootCertStore::empty());
    let unknown = rig(&["127.0.0.0/8"], names(), nobody);
    let fetched = unknown.fetch(&url("sounds.test")).await;
    assert!(matches!(fetched, Err(FetchError::Transport(_))));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn an_upstream_is_asked_with_json_wherever_it_is() {
    let server = Server::start(vec![answer("200 OK", &[], &wav())]).await;
    let rig = rig(&[], Arc::new(resolve::System), Trust::system());
    let json = Bytes::from_static(b"{\"text\":\"a\"}");
    let within = Duration::from_secs(5);
    let url = server.url("/speak");
    let asked = rig
        .fetcher
        .ask_upstream(&url, json.clone(), &rig.into, within);
    assert_eq!(asked.await.unwrap().frames.0, 800);
    let request = server.requests().remove(0);
    assert!(request.starts_with("POST /speak HTTP/1.1\r\n"));
    assert!(request.contains("content-type: application/json\r\n"));
    assert!(request.contains("content-length: 12\r\n"));
    let moved = Server::start(vec![redirect("/elsewhere")]).await;
    let url = moved.url("/");
    let asked = rig
        .fetcher
        .ask_upstream(&url, json, &rig.into, within)
        .await;
    assert!(matches!(asked, Err(FetchError::Status(302))));
}

#[tokio::test]
async fn a_new_configuration_is_in_force_for_every_clone() {
    let rig = rig(&[], Arc::new(resolve::System), Trust::system());
    let clone = rig.fetcher.clone();
    let url = "http://10.1.2.3/";
    let inspected = clone.inspect(url).await;
    assert!(matches!(inspected, Err(FetchError::Refused(_))));
    let allow = vec!["10.1.0.0/16".parse().unwrap()];
    rig.fetcher.reload(Fetch { allow });
    assert!(clone.inspect(url).await.is_ok());
}
