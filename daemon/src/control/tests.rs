//! Tests of the control socket over a real Unix socket, with a real store and an engine without
//! lines.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use audio_io::clock::SystemClock;
use audio_io::format::StreamFormat;
use serde_json::{Value, json};
use storage::handle::{IoChoice, StorageHandle, StoreOptions};
use tempfile::TempDir;

use super::wire::{self, ErrorCode, Items};
use super::{ControlError, ControlServer, ReloadHook};
use crate::app::App;
use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::config::schema::Config;
use crate::config::{Fault, LoadError, Place, Problem};
use crate::engine::{Engine, LineToOpen};

mod access;
mod applications;
mod calls;
mod exchange;
mod keeping;

/// A store, an engine without lines, and the socket before them.
pub(crate) struct Rig {
    pub(crate) client: Client,
    server: Option<ControlServer>,
    engine: Option<Engine>,
    app: App,
    pub(crate) folder: Arc<TempDir>,
}

impl Rig {
    pub(crate) fn start() -> Self {
        Self::with_reload(Arc::new(|| Ok(wire::Reloaded::default())))
    }

    fn with_reload(reload: ReloadHook) -> Self {
        Self::build(reload, &[])
    }

    /// With the line `front-desk` of tenant `acme`, whose trigger is `api` and whose device is
    /// away.
    pub(crate) fn with_line() -> Self {
        let line = json!({
            "name": "front-desk", "tenant": "acme", "capture": "hw:CARD=None", "trigger": "api",
        });
        Self::build(Arc::new(|| Ok(wire::Reloaded::default())), &[line])
    }

    fn build(reload: ReloadHook, lines: &[Value]) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let mut config = Config::default();
        config.storage.data_dir = folder.path().join("data");
        config.control.socket = folder.path().join("control.sock");
        let clock = Arc::new(SystemClock);
        let io = IoChoice::Blocking;
        let options = StoreOptions {
            data_dir: config.storage.data_dir.clone(),
            index_cache_bytes: 8 << 20,
            io,
        };
        let opened = StorageHandle::open(options, clock.clone());
        let (storage, seed, _) = opened.expect("a store");
        let lines = lines.iter().map(|line| line_of(line, &storage)).collect();
        let (news, _) = tokio::sync::mpsc::channel(1);
        let time = clock.clone();
        let engine = Engine::start(lines, &config, storage.clone(), seed, io, time, news);
        let engine = engine.expect("an engine");
        let fetcher = crate::engine::fetch::Fetcher::new(config.fetch.clone());
        let app = App {
            calls: exchange::play(),
            transcoder: crate::engine::transcode::Transcoder::start(
                storage.clone(),
                &config.convert,
            )
            .unwrap(),
            prompts: crate::engine::prompts::Prompts::new(
                storage.clone(),
                fetcher.clone(),
                config.speech.clone(),
                clock.clone(),
            ),
            fetcher,
            storage,
            engine: engine.handle(),
            clock,
            served: Arc::default(),
            http_metrics: Arc::default(),
            config: Arc::new(ArcSwap::from_pointee(config)),
        };
        let client = Client::new(folder.path().join("control.sock"));
        let server = ControlServer::start(app.clone(), reload).expect("a control socket");
        Self {
            client,
            server: Some(server),
            engine: Some(engine),
            app,
            folder,
        }
    }

    /// A second of a tone as a WAV file.
    pub(crate) fn wav(&self) -> PathBuf {
        let format = StreamFormat::TELEPHONE;
        let mut tone = audio_io::dsp::tone::Tone::new(format.rate, 440.0, 0.5);
        let sound = tone.bytes(audio_io::units::Frames(8_000), format);
        let mut file = Vec::new();
        let (bytes, rate) = (
            u32::try_from(sound.len()).expect("small"),
            format.rate.hertz(),
        );
        file.extend_from_slice(b"RIFF");
        file.extend_from_slice(&(36 + bytes).to_le_bytes());
        file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        file.extend_from_slice(&rate.to_le_bytes());
        file.extend_from_slice(&(rate * 2).to_le_bytes());
        file.extend_from_slice(b"\x02\0\x10\0data");
        file.extend_from_slice(&bytes.to_le_bytes());
        file.extend_from_slice(&sound);
        let path = self.folder.path().join("tone.wav");
        std::fs::write(&path, file).expect("a file");
        path
    }

    /// Stops the socket as soon as somebody watches calls.
    pub(crate) fn stop_when_watched(&mut self) {
        while self.app.calls.watchers_in_test() == 0 {
            std::thread::yield_now();
        }
        drop(self.server.take());
    }

    async fn import(&self, path: &Path, more: Value) -> Result<wire::Recording, CliError> {
        let mut wish = json!({ "path": path, "tenant": "acme" });
        let fields = more.as_object().expect("an object").clone();
        wish.as_object_mut().expect("an object").extend(fields);
        self.client.job("/recordings/import", &wish, |_| {}).await
    }
}

fn line_of(config: &Value, storage: &StorageHandle) -> LineToOpen {
    let config: crate::config::schema::Line =
        serde_json::from_value(config.clone()).expect("a line");
    let tenant = storage.add_tenant(config.tenant.clone()).expect("added").id;
    LineToOpen { config, tenant }
}

impl Drop for Rig {
    fn drop(&mut self) {
        drop(self.server.take());
        if let Some(engine) = self.engine.take() {
            engine.stop();
        }
    }
}

/// Runs a test's conversation beside the server's own thread.
fn talk<F: Future<Output = ()>>(conversation: F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(conversation);
}

fn code<T>(result: Result<T, CliError>) -> ErrorCode {
    match result {
        Err(CliError::Refused(error)) => error.code,
        Err(other) => panic!("not refused but failed: {other}"),
        Ok(_) => panic!("not refused"),
    }
}

#[test]
fn status_tenants_and_keys() {
    let rig = Rig::start();
    talk(async {
        let status: wire::Status = rig.client.get("/status").await.expect("a status");
        assert_eq!(status.pid, std::process::id());
        assert_eq!(status.lines.total, 0);
        let tenant = json!({ "name": "acme" });
        let added: wire::Tenant = rig.client.post("/tenants", &tenant).await.expect("added");
        assert_eq!(added.name, "acme");
        assert_eq!(
            code(rig.client.post::<Value>("/tenants", &tenant).await),
            ErrorCode::Conflict
        );
        let listed: Items<wire::Tenant> = rig.client.get("/tenants").await.expect("a list");
        assert_eq!(listed.items.len(), 1);

        let wish = json!({ "tenant": "acme", "family": "task_audio", "label": "crm" });
        let issued: wire::IssuedKey = rig.client.post("/keys", &wish).await.expect("issued");
        assert!(issued.secret.starts_with("vas_"), "a task audio key");
        let family = storage::record::Family::TaskAudio;
        assert!(
            rig.app
                .storage
                .authenticate(family, &issued.secret)
                .is_some()
        );
        let keys: Value = rig.client.get("/keys").await.expect("a list");
        assert!(
            !keys.to_string().contains(&issued.secret),
            "the secret is shown once"
        );
        let path = format!("/keys/{}", issued.key.key_id);
        let revoked: wire::Key = rig.client.delete(&path).await.expect("revoked");
        assert!(revoked.revoked_at.is_some());
        assert!(
            rig.app
                .storage
                .authenticate(family, &issued.secret)
                .is_none()
        );
        let unknown = json!({ "tenant": "nobody", "family": "task_audio" });
        assert_eq!(
            code(rig.client.post::<Value>("/keys", &unknown).await),
            ErrorCode::NotFound
        );
    });
}

#[test]
fn a_file_is_imported_shown_exported_and_deleted() {
    let rig = Rig::start();
    let file = rig.wav();
    talk(async {
        let tenant = json!({ "name": "acme" });
        let _: wire::Tenant = rig.client.post("/tenants", &tenant).await.expect("added");
        let names = json!({ "recid": "12345", "call_sid": "call_abc", "from": "+15550100",
                            "started_at": "2026-11-21T06:14:09Z" });
        let imported = rig.import(&file, names.clone()).await.expect("imported");
        assert_eq!(
            (imported.recid.as_str(), imported.state.as_str()),
            ("12345", "stored")
        );
        assert_eq!(imported.started_at, "2026-11-21T06:14:09.000Z");
        assert_eq!(
            imported.outcome.as_ref().map(|outcome| outcome.duration_ms),
            Some(1_000)
        );
        assert_eq!(code(rig.import(&file, names).await), ErrorCode::Conflict);

        let task = imported.names.task_id.to_string();
        for name in ["12345", "call_abc", &task, &imported.names.crt_object_id] {
            let path = format!("/recordings/{}", crate::cli::client::escaped(name));
            let shown: wire::Recording = rig.client.get(&path).await.expect("found");
            assert_eq!(shown.recid, "12345", "{name}");
        }
        let mut bytes = Vec::new();
        let take = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        rig.client
            .download("/recordings/12345/audio", take)
            .await
            .expect("exported");
        assert_eq!(bytes, std::fs::read(&file).expect("the original"));

        let _: Value = rig
            .client
            .delete("/recordings/12345?tenant=acme")
            .await
            .expect("deleted");
        assert_eq!(
            code(rig.client.get::<Value>("/recordings/12345").await),
            ErrorCode::NotFound
        );
    });
}

#[test]
fn lists_go_on_over_all_tenants_page_by_page() {
    let rig = Rig::start();
    let file = rig.wav();
    talk(async {
        for name in ["acme", "beta"] {
            let wish = json!({ "name": name });
            let _: wire::Tenant = rig.client.post("/tenants", &wish).await.expect("added");
        }
        for (number, tenant) in ["acme", "beta", "beta", "acme", "acme"].iter().enumerate() {
            let at = format!("2026-11-21T06:14:0{number}Z");
            let more = json!({ "started_at": at, "tenant": tenant });
            rig.import(&file, more).await.expect("imported");
        }
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/recordings?limit=2{cursor}");
            let page: wire::Page = rig.client.get(&path).await.expect("a page");
            seen.extend(
                page.items
                    .into_iter()
                    .map(|item| (item.started_at, item.tenant)),
            );
            let Some(next) = page.next else { break };
            cursor = format!("&cursor={next}");
        }
        let tenants: Vec<_> = seen.iter().map(|(_, tenant)| tenant.as_str()).collect();
        assert_eq!(tenants, ["acme", "acme", "beta", "beta", "acme"]);
        assert!(
            seen.is_sorted_by(|a, b| a.0 > b.0),
            "newest first: {seen:?}"
        );
        let since = "/recordings?tenant=beta&since=2026-11-21T06:14:02Z&state=stored";
        let page: wire::Page = rig.client.get(since).await.expect("a page");
        assert_eq!(page.items.len(), 1);
    });
}

#[test]
fn bad_requests_name_what_is_wrong() {
    let rig = Rig::start();
    let text = rig.folder.path().join("text.wav");
    std::fs::write(&text, "no sound at all").expect("a file");
    talk(async {
        let wish = json!({ "name": "acme" });
        let _: wire::Tenant = rig.client.post("/tenants", &wish).await.expect("added");
        let get = async |path: &str| code(rig.client.get::<Value>(path).await);
        assert_eq!(get("/nope").await, ErrorCode::NotFound);
        assert_eq!(get("/reload").await, ErrorCode::MethodNotAllowed);
        assert_eq!(get("/recordings?stat=live").await, ErrorCode::BadRequest);
        assert_eq!(
            get("/recordings?since=yesterday").await,
            ErrorCode::BadRequest
        );
        assert_eq!(get("/recordings?tenant=nobody").await, ErrorCode::NotFound);
        assert_eq!(get("/recordings/1/audio").await, ErrorCode::NotFound);
        let post =
            async |path: &str, body: Value| code(rig.client.post::<Value>(path, &body).await);
        assert_eq!(
            post("/tenants", json!({ "name": "a/b" })).await,
            ErrorCode::BadRequest
        );
        assert_eq!(
            post("/tenants", json!({ "nam": "a" })).await,
            ErrorCode::BadRequest
        );
        assert_eq!(
            post("/record/start", json!({ "line": "a" })).await,
            ErrorCode::NotFound
        );
        assert_eq!(
            post("/record/stop", json!({ "name": "7" })).await,
            ErrorCode::NotFound
        );
        let long = json!({ "name": "a".repeat(super::limits::BODY_BYTES_MAX) });
        assert_eq!(post("/tenants", long).await, ErrorCode::TooLarge);
        assert_eq!(
            code(rig.import(&text, json!({})).await),
            ErrorCode::Unusable
        );
        let pipe = rig.folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        assert_eq!(
            code(rig.import(&pipe, json!({})).await),
            ErrorCode::Unusable
        );
        let missing = rig.folder.path().join("missing.wav");
        assert_eq!(
            code(rig.import(&missing, json!({})).await),
            ErrorCode::NotFound
        );
        let relative = code(rig.import(Path::new("tone.wav"), json!({})).await);
        assert_eq!(relative, ErrorCode::BadRequest);
    });
}

/// Where a recording's file lies.
fn storage_path(rig: &Rig, recording: &wire::Recording) -> PathBuf {
    let storage = &rig.app.storage;
    let id = storage::ids::RecordingId(recording.recid.parse().expect("a number"));
    let tenant = storage.tenants().expect("tenants")[0].id;
    let name = storage::ids::RecordingName::Recid(id);
    storage.path_of(
        &storage
            .find(tenant, &name)
            .expect("readable")
            .expect("found"),
    )
}

#[test]
fn a_check_tells_its_progress_and_its_report() {
    let rig = Rig::start();
    let file = rig.wav();
    talk(async {
        let wish = json!({ "name": "acme" });
        let _: wire::Tenant = rig.client.post("/tenants", &wish).await.expect("added");
        rig.import(&file, json!({ "recid": "7" }))
            .await
            .expect("imported");
        let check = async || {
            let wish = json!({ "hashes": true });
            let report = rig.client.job::<wire::CheckReport>("/check", &wish, |_| {});
            report.await.expect("a report")
        };
        let report = check().await;
        assert!(report.clean && report.recordings == 1, "{report:?}");
        let found: wire::Recording = rig.client.get("/recordings/7").await.expect("found");
        let stored = storage_path(&rig, &found);
        let mut bytes = std::fs::read(&stored).expect("the stored file");
        *bytes.last_mut().expect("sound") ^= 1;
        std::fs::write(&stored, bytes).expect("damaged");
        let report = check().await;
        assert!(!report.clean, "{report:?}");
        assert_eq!(report.findings[0].recid.as_deref(), Some("7"), "{report:?}");
    });
}

#[test]
fn a_reload_tells_what_it_did_or_why_not() {
    let done = wire::Reloaded {
        applied: vec!["log".into()],
        needs_restart: vec!["line".into()],
    };
    let answer = done.clone();
    let rig = Rig::with_reload(Arc::new(move || Ok(answer.clone())));
    talk(async {
        let reloaded: wire::Reloaded = rig
            .client
            .post("/reload", &json!({}))
            .await
            .expect("reloaded");
        assert_eq!(reloaded, done);
    });
    let rig = Rig::with_reload(Arc::new(|| {
        let place = Place::Environment("CALLREEL__X".into());
        let fault = Fault::TablesFromEnvironment("[[line]]");
        Err(LoadError {
            problems: vec![Problem {
                place,
                key: "x".into(),
                fault,
            }],
        })
    }));
    talk(async {
        let refused = rig.client.post::<Value>("/reload", &json!({})).await;
        assert_eq!(code(refused), ErrorCode::Unusable);
    });
}

#[test]
fn a_second_daemon_is_refused_and_stopping_removes_the_socket() {
    let mut rig = Rig::start();
    let socket = rig.client.socket().to_owned();
    let reload: ReloadHook = Arc::new(|| Ok(wire::Reloaded::default()));
    let second = ControlServer::start(rig.app.clone(), reload);
    assert!(matches!(second.err(), Some(ControlError::Running(path)) if path == socket));
    talk(async {
        let _: wire::Status = rig
            .client
            .get("/status")
            .await
            .expect("the first still answers");
    });
    rig.server.take().expect("running").shutdown();
    assert!(!socket.exists());
    drop(UnixListener::bind(&socket).expect("the path is free"));
}
