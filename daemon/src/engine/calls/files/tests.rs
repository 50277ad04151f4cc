//! Files from servers on loopback and from the library: in order, once, and with reasons that a
//! person understands. Nothing leaves the machine.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::time::Duration;

use audio_io::clock::ManualClock;
use audio_io::units::WallMillis;
use storage::handle::{IoChoice, StoreOptions};
use storage::ids::TenantName;
use storage::prompt::{NewPrompt, PromptOrigin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::*;
use crate::config::schema::Fetch;
use crate::engine::fetch::tests::answer;

/// Answers each connection with the next of its answers, the last one again and again.
struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    /// Told when a client went away before it was answered.
    left: Arc<Notify>,
    task: AbortHandle,
}

impl Server {
    async fn start(answers: Vec<Vec<u8>>) -> Self {
        Self::start_after(None, answers).await
    }

    /// The same, but it accepts nobody before another one was asked.
    async fn start_after(other: Option<&Self>, answers: Vec<Vec<u8>>) -> Self {
        let asked = other.map(|other| Arc::clone(&other.requests));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, left) = (Arc::default(), Arc::new(Notify::new()));
        let (kept, told) = (Arc::clone(&requests), Arc::clone(&left));
        let mut answers = VecDeque::from(answers);
        let task = tokio::spawn(async move {
            while asked
                .as_ref()
                .is_some_and(|asked| asked.lock().unwrap().is_empty())
            {
                tokio::task::yield_now().await;
            }
            while let Ok((stream, _)) = listener.accept().await {
                let answer = match answers.len() {
                    1 => answers[0].clone(),
                    _ => answers.pop_front().unwrap(),
                };
                tokio::spawn(reply(stream, answer, Arc::clone(&kept), Arc::clone(&told)));
            }
        });
        Self {
            port,
            requests,
            left,
            task: task.abort_handle(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// An empty answer never comes.
async fn reply(
    mut stream: TcpStream,
    answer: Vec<u8>,
    requests: Arc<Mutex<Vec<String>>>,
    left: Arc<Notify>,
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
        let _gone = stream.read(&mut [0]).await;
        left.notify_one();
        return;
    }
    let _sent = stream.write_all(&answer).await;
    let _closed = stream.shutdown().await;
}

/// So many frames of silence.
fn wav(frames: u32) -> Vec<u8> {
    let sound = frames * 2;
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

fn sound(frames: u32, headers: &[&str]) -> Vec<u8> {
    answer("200 OK", headers, &wav(frames))
}

struct Rig {
    files: Files,
    storage: StorageHandle,
    clock: Arc<ManualClock>,
    tenant: TenantId,
    stranger: TenantId,
    folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            data_dir: folder.path().join("data"),
            index_cache_bytes: 8 * 1_024 * 1_024,
            io: IoChoice::Blocking,
        };
        let clock = Arc::new(ManualClock::at(WallMillis(1_763_700_000_000)));
        let (storage, _, _) = StorageHandle::open(options, clock.clone()).unwrap();
        let tenant = |name: &str| {
            let name = TenantName::new(name).unwrap();
            storage.add_tenant(name).unwrap().id
        };
        let (tenant, stranger) = (tenant("a"), tenant("b"));
        let mut config = Config::default();
        config.http.public_url = Some("https://calls.example.com".into());
        let fetcher = Fetcher::new(Fetch {
            allow: vec!["127.0.0.1/32".parse().unwrap()],
        });
        let speech = config.speech.clone();
        let prompts = Prompts::new(storage.clone(), fetcher.clone(), speech, clock.clone());
        let config = Arc::new(ArcSwap::from_pointee(config));
        let files = Files::new(storage.clone(), prompts, fetcher, config, clock.clone());
        Self {
            files,
            storage,
            clock,
            tenant,
            stranger,
            folder,
        }
    }

    async fn prepare(&self, urls: &[&str]) -> Result<Prepared, Missing> {
        let urls = Urls::new(urls).unwrap();
        self.files.prepare(self.tenant, &urls).await
    }

    /// Why the only URL cannot be had.
    async fn why(&self, url: &str) -> String {
        let missing = self.prepare(&[url]).await.err().expect("nothing");
        assert_eq!(missing.url, url);
        missing.error
    }

    /// A stored prompt of the tenant, so many frames long.
    fn stored(&self, frames: u32) -> PromptId {
        let path = self.folder.path().join("prompt.wav");
        std::fs::write(&path, wav(frames)).unwrap();
        let probed = audio_io::codec::probe::probe(&path).unwrap();
        let prompt = NewPrompt {
            tenant: self.tenant,
            name: "greeting".into(),
            origin: PromptOrigin::Upload,
            expires_at: None,
        };
        let facts = storage::prompt::SoundFacts {
            container: crate::engine::sound_file::container(probed.kind),
            format: probed.format,
            frames: probed.frames,
        };
        let added = self.storage.add_prompt(prompt, Some((&path, facts)));
        added.unwrap().id
    }
}

fn frames(prepared: &Prepared) -> Vec<u64> {
    let opened = prepared.files.iter().map(|file| file.open().unwrap());
    opened.map(|source| source.frames().0).collect()
}

#[tokio::test]
async fn a_list_is_fetched_and_keeps_its_order() {
    let rig = Rig::new();
    let mut servers = Vec::new();
    for number in 1..=12 {
        servers.push(Server::start(vec![sound(number * 10, &[])]).await);
    }
    let urls: Vec<String> = servers
        .iter()
        .map(|server| server.url("/a.wav?key=secret"))
        .collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let prepared = rig.prepare(&urls).await.ok().unwrap();
    let expected: Vec<u64> = (1..=12).map(|number| number * 10).collect();
    assert_eq!(frames(&prepared), expected);
    let names: Vec<&str> = prepared.file_path.split('!').collect();
    assert_eq!(names.len(), 12);
    for name in names {
        let name = name.strip_prefix("fetched/").unwrap();
        assert_eq!(name.strip_suffix(".wav").unwrap().len(), 16);
    }
    let left = || {
        std::fs::read_dir(rig.storage.data_dir().join("scratch"))
            .unwrap()
            .count()
    };
    assert_eq!(left(), 12);
    drop(prepared);
    // What its server does not let us use again is not kept.
    assert_eq!(left(), 0);
}

#[tokio::test]
async fn why_a_file_cannot_be_had_is_told_in_words() {
    let rig = Rig::new();
    let page = b"<html><body>no such file</body></html>".as_slice();
    let long = b"HTTP/1.1 200 OK\r\nContent-Length: 50000001\r\n\r\n".to_vec();
    let away = |to: &str| answer("302 Found", &[&format!("Location: {to}")], b"");
    for (answer, expected) in [
        (answer("404 Not Found", &[], b""), "the server answered 404"),
        (answer("200 OK", &[], page), "the URL is not a sound"),
        (
            answer("200 OK", &["Content-Type: audio/wav"], page),
            "the URL is not a sound",
        ),
        (long, "the file is larger than 50000000 bytes"),
        (
            away("http://10.0.0.1/a.wav"),
            "the URL leads to 10.0.0.1, which may not be fetched from; see [fetch] allow",
        ),
        (away("/again"), "more than 3 redirects"),
    ] {
        let server = Server::start(vec![answer]).await;
        let why = rig.why(&server.url("/a.wav")).await;
        assert!(why.starts_with(expected), "{why}");
    }
    let forbidden = rig.why("http://169.254.169.254/latest").await;
    assert!(
        forbidden.starts_with("the URL leads to 169.254.169.254"),
        "{forbidden}"
    );
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/a.wav", closed.local_addr().unwrap());
    drop(closed);
    let unreachable = rig.why(&url).await;
    assert!(unreachable.contains("refused"), "{unreachable}");
}

#[tokio::test]
async fn the_first_missing_file_ends_the_job_and_the_rest_is_called_off() {
    let rig = Rig::new();
    let silent = Server::start(vec![Vec::new()]).await;
    let oh = vec![answer("500 Oh", &[], b"")];
    let broken = Server::start_after(Some(&silent), oh).await;
    let (slow, bad) = (silent.url("/slow.wav"), broken.url("/bad.wav"));
    let missing = rig.prepare(&[&slow, &bad, &bad]).await.err().unwrap();
    assert_eq!(missing.url, bad);
    assert_eq!(missing.error, "the server answered 500");
    silent.left.notified().await;
}

#[tokio::test]
async fn a_job_that_is_released_fetches_no_more() {
    let rig = Rig::new();
    let silent = Server::start(vec![Vec::new()]).await;
    let (done, mut told) = mpsc::channel(1);
    let jobs = FileJobs {
        files: rig.files.clone(),
        runtime: Handle::current(),
        done,
    };
    let key = FilesKey {
        session: Uuid::nil(),
        job: JobId(1),
        part: Part::Prompt,
    };
    let urls = Urls::new(&[&silent.url("/slow.wav")]).unwrap();
    let job = jobs.begin(key, rig.tenant, urls);
    while silent.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(job);
    silent.left.notified().await;
    drop(jobs);
    assert!(told.recv().await.is_none());
}

#[tokio::test]
async fn a_recording_that_a_call_plays_is_told_each_time_though_it_is_cached() {
    let rig = Rig::new();
    let headers = ["Cache-Control: max-age=60"];
    let server = Server::start(vec![sound(10, &headers)]).await;
    let mut config = Config::clone(&rig.files.shared.config.load());
    config.http.listen = vec![([127, 0, 0, 1], server.port).into()];
    rig.files.shared.config.store(Arc::new(config));
    let (done, mut told) = mpsc::channel(1);
    let jobs = FileJobs {
        files: rig.files.clone(),
        runtime: Handle::current(),
        done,
    };
    let link = server.url(&format!("/media/{:x}-abc?kid=1", rig.tenant.0));
    let other = server.url("/greeting.wav");
    let urls = Urls::new(&[&link, &other]).unwrap();
    for job in 1..=2 {
        let key = FilesKey {
            session: Uuid::from_u128(5),
            job: JobId(job),
            part: Part::Prompt,
        };
        let _job = jobs.begin(key, rig.tenant, urls.clone());
        assert!(told.recv().await.unwrap().result.is_ok());
    }
    assert_eq!(server.requests().len(), 2, "the second time from the cache");
    rig.storage.flush_index().unwrap();
    let filter = storage::ledger::query::AuditFilter {
        recording: Some(storage::ids::RecordingId(0xabc)),
        ..Default::default()
    };
    let entries = rig.storage.audit(&filter, None, 10).unwrap().entries;
    assert_eq!(entries.len(), 2);
    for entry in &entries {
        assert_eq!(entry.kind, storage::ledger::entry::Kind::Play);
        assert_eq!(entry.details["session"], Uuid::from_u128(5).to_string());
    }
}

#[tokio::test]
async fn fetches_of_one_url_are_one() {
    let rig = Rig::new();
    let server = Server::start(vec![sound(10, &["Cache-Control: max-age=60"])]).await;
    let url = server.url("/a.wav");
    let same = [url.as_str(); 20];
    let (first, second) = tokio::join!(rig.prepare(&same), rig.prepare(&same));
    assert_eq!(frames(&first.ok().unwrap()).len(), 20);
    assert_eq!(frames(&second.ok().unwrap()).len(), 20);
    assert_eq!(server.requests().len(), 1);
    // Another tenant's fetches are its own.
    let urls = Urls::new(&[&url]).unwrap();
    let other = rig.files.prepare(rig.stranger, &urls).await;
    assert!(other.is_ok());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_file_is_used_while_it_is_fresh_and_revalidated_after_that() {
    let rig = Rig::new();
    let headers = ["Cache-Control: max-age=60", "ETag: \"v1\""];
    let unchanged = answer("304 Not Modified", &[], b"");
    let changed = sound(20, &["ETag: \"v2\"", "Cache-Control: max-age=60"]);
    let server = Server::start(vec![sound(10, &headers), unchanged, changed]).await;
    let url = server.url("/a.wav");
    let now_has = async |frames_expected: u64, asked: usize| {
        let prepared = rig.prepare(&[&url]).await.ok().unwrap();
        assert_eq!(frames(&prepared), [frames_expected]);
        assert_eq!(server.requests().len(), asked);
    };
    now_has(10, 1).await;
    rig.clock.advance(Duration::from_secs(59));
    now_has(10, 1).await;
    rig.clock.advance(Duration::from_secs(1));
    now_has(10, 2).await;
    let asked = server.requests()[1].to_ascii_lowercase();
    assert!(asked.contains("if-none-match: \"v1\""), "{asked}");
    rig.clock.advance(Duration::from_secs(59));
    now_has(10, 2).await;
    rig.clock.advance(Duration::from_secs(1));
    now_has(20, 3).await;
    // A server that is gone: what it gave is played while it is fresh, and not after that.
    server.task.abort();
    rig.clock.advance(Duration::from_secs(59));
    now_has(20, 3).await;
    rig.clock.advance(Duration::from_secs(1));
    let why = rig.why(&url).await;
    assert!(why.starts_with("fetching: "), "{why}");
}

#[tokio::test]
async fn stored_prompts_need_no_network_and_are_their_tenants() {
    let rig = Rig::new();
    let id = rig.stored(50);
    let own = format!("https://calls.example.com/api/v2/PlayAudioFile.php?tsid=x&cdw_id={id}");
    let short = format!("http://prompts.localhost/{id}.wav");
    let prepared = rig.prepare(&[&own, &short]).await.ok().unwrap();
    assert_eq!(frames(&prepared), [50, 50]);
    assert_eq!(
        prepared.file_path,
        format!("prompts/{id}.wav!prompts/{id}.wav")
    );
    let urls = Urls::new(&[&short]).unwrap();
    let strange = rig.files.prepare(rig.stranger, &urls).await.err().unwrap();
    assert_eq!(strange.error, format!("there is no stored prompt {id}"));
    let unknown = rig.why("http://prompts.localhost/999999").await;
    assert_eq!(unknown, "there is no stored prompt 999999");
    let nameless = rig.why("http://prompts.localhost/").await;
    assert!(nameless.contains("number is missing"), "{nameless}");
    rig.storage.delete_prompt(rig.tenant, id).unwrap();
    assert_eq!(
        rig.why(&short).await,
        format!("there is no stored prompt {id}")
    );
    // What has been opened goes on.
    assert_eq!(frames(&prepared), [50, 50]);
}
