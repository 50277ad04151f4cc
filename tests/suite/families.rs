//! What the tests of several families share: one recording that all of them can name, and a
//! credential for each.

use harness::daemon::{Daemon, Setup, TENANT};
use harness::http::{Answer, Request};
use harness::process;
use serde_json::{Value, json};

use crate::support::{self, TASK, word};

/// The names of the one recording; those of the seeds' examples.
pub(crate) const RECID: &str = "9876545";
pub(crate) const CALL_SID: &str = "call_abc123";
pub(crate) const CRT_OBJECT: &str = "d741-6904fad1-vce-daf-638729";
pub(crate) const CAMPAIGN: &str = "110";
pub(crate) const CALL_ID: &str = "d741-6904fad1-vcall-10989826";
pub(crate) const TO: &str = "+15559876543";
/// A tenant that owns nothing here.
pub(crate) const STRANGER: &str = "globex";
/// Who logs in.
pub(crate) const USER: &str = "supervisor@exotel.in";

/// A daemon with the recording and credentials.
pub(crate) struct Families {
    pub(crate) daemon: Daemon,
    /// Seed 000's token.
    pub(crate) tsid: String,
    /// Seed 002's key.
    pub(crate) organization_key: String,
    /// Seed 004's key.
    pub(crate) task_key: String,
    /// The user's password.
    pub(crate) password: String,
}

/// What stands in `callreel key issue --family`.
pub(crate) fn issue(daemon: &Daemon, tenant: &str, family: &str) -> Value {
    support::tenant(daemon, tenant);
    daemon.json(&["key", "issue", "--tenant", tenant, "--family", family])
}

/// Three seconds of speech-like sound in stereo, left 440 Hz, right 1 kHz, in a format that
/// ffmpeg makes by the file's extension.
pub(crate) fn stereo_file(daemon: &Daemon, extension: &str) -> std::path::PathBuf {
    let path = daemon.folder().join(format!("stereo.{extension}"));
    let text = path.to_string_lossy();
    let codec: &[&str] = match extension {
        "webm" | "ogg" => &["-c:a", "libopus"],
        _ => &[],
    };
    let mut arguments = vec![
        "-v",
        "error",
        "-y",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:duration=3:sample_rate=16000",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=1000:duration=3:sample_rate=16000",
        "-filter_complex",
        "[0:a][1:a]join=inputs=2:channel_layout=stereo",
    ];
    arguments.extend_from_slice(codec);
    arguments.push(&text);
    let _ = process::run("ffmpeg", &arguments);
    path
}

impl Families {
    /// With a recording of this stored format.
    pub(crate) fn with(setup: Setup, extension: &str) -> Self {
        let daemon = setup.start();
        let path = stereo_file(&daemon, extension);
        let _ = support::import(
            &daemon,
            &path,
            &[
                "--recid",
                RECID,
                "--call-sid",
                CALL_SID,
                "--crt-object-id",
                CRT_OBJECT,
                "--campaign-id",
                CAMPAIGN,
                "--call-id",
                CALL_ID,
                "--task-id",
                TASK,
                "--to",
                TO,
                "--from",
                "+15551234567",
                "--line",
                "front-desk",
            ],
        );
        let secret = |family| word(&issue(&daemon, TENANT, family), "secret");
        let (tsid, organization_key) = (secret("play-audio-file"), secret("call-recording"));
        let task_key = secret("task-audio");
        let user = daemon.json(&[
            "user",
            "add",
            USER,
            "--tenant",
            TENANT,
            "--role",
            "supervisor",
            "--generate",
        ]);
        support::tenant(&daemon, STRANGER);
        Self {
            tsid,
            organization_key,
            task_key,
            password: word(&user, "password"),
            daemon,
        }
    }

    /// With a WAV recording.
    pub(crate) fn new() -> Self {
        Self::with(Setup::new(), "wav")
    }

    /// Logs the user in; the `Sessionid`.
    pub(crate) fn login(&self) -> String {
        let answer = login(&self.daemon, USER, &self.password);
        assert_eq!(answer.status, 200, "{}", answer.text());
        word(&answer.json(), "sessionId")
    }

    /// The recording by family 000.
    pub(crate) fn play(&self) -> Request {
        let target = format!("/api/v2/PlayAudioFile.php?tsid={}&recid={RECID}", self.tsid);
        Request::get(&target)
    }

    /// The signed address of the recording, path and query.
    pub(crate) fn link(&self) -> String {
        let request = Request::get(&format!("/api/calls/{CALL_SID}/recording/stream"))
            .with("X-API-Key", &self.organization_key);
        let answer = self.daemon.ask(&request);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let url = word(&answer.json()["data"], "url");
        // The harness calls every daemon so.
        let path = url.strip_prefix("http://localhost");
        path.unwrap_or_else(|| panic!("{url} is not on the host that was asked"))
            .to_owned()
    }

    /// The recording by family 003, in a format.
    pub(crate) fn voice_log(&self, session: &str, format: &str) -> Request {
        Request::get(&voice_log_path(format)).with("Sessionid", session)
    }
}

/// Seed 003's path for the recording, with its filter as the vendor writes it.
pub(crate) fn voice_log_path(format: &str) -> String {
    format!(
        "/ameyorestapi/cc/downloadVoiceLog?campaignId={CAMPAIGN}&crtObjectId={CRT_OBJECT}\
         &targetFormat={format}&filters={{callId%{CALL_ID}}}"
    )
}

/// A login.
pub(crate) fn login(daemon: &Daemon, user: &str, password: &str) -> Answer {
    let body = json!({ "userId": user, "token": password, "forceLogin": false }).to_string();
    let request = Request::new("POST", "/ameyorestapi/session/userLogin")
        .with("Content-Type", "application/json")
        .body(body.as_bytes());
    daemon.ask(&request)
}
