//! What the tests of calls share: a daemon with a line, an application with its receiver, prompts,
//! and the caller; and a call as the application sees it.

use std::cell::Cell;

use harness::daemon::{Daemon, Setup, TENANT};
use harness::duplex::{Caller, Duplex, RATE};
use harness::http::{Answer, Client, Request, Transport};
use harness::prompts::Prompts;
use harness::receiver::{Delivery, Receiver};
use harness::wait;
use serde_json::{Value, json};

use crate::support;

/// The key of the suite's application.
pub(crate) const KEY: &str = "an-application-key-of-the-suite";
/// The administrator's key.
pub(crate) const ADMIN_KEY: &str = "an-administrator-key-of-the-suite";
/// The line that most tests use.
pub(crate) const LINE: &str = "desk";
/// Requests a minute, where a test is not about them.
pub(crate) const PLENTY: u64 = 100_000;
/// Samples in so many milliseconds.
pub(crate) const fn samples(ms: usize) -> usize {
    ms * RATE as usize / 1_000
}
/// Milliseconds of so many samples.
pub(crate) const fn ms(samples: usize) -> usize {
    samples * 1_000 / RATE as usize
}

/// `[admin]`, `[fetch]` and `[webhooks]` as the suite's applications need them.
pub(crate) fn with_applications(setup: Setup) -> Setup {
    let key_file = setup.folder().join("admin.key");
    std::fs::write(&key_file, format!("{ADMIN_KEY}\n")).expect("the admin key");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&key_file, mode).expect("the admin key's mode");
    let tables = format!(
        "[admin]\nkey_file = \"{}\"\n\n[fetch]\nallow = [\"127.0.0.0/8\"]\n\n\
         [webhooks]\nallow = [\"127.0.0.0/8\"]\n",
        key_file.display()
    );
    setup.toml(&tables)
}

/// Sets an application as the administrator; gives the answer.
pub(crate) fn set_application(daemon: &Daemon, app: &str, settings: &Value) -> Answer {
    let request = Request::new("POST", &format!("/admin/apps/{app}"))
        .with("X-Admin-API-Key", ADMIN_KEY)
        .with("Content-Type", "application/json")
        .body(settings.to_string().as_bytes());
    daemon.ask(&request)
}

/// A daemon, the suite's application with its receiver, and a web server for prompts.
pub(crate) struct Office {
    pub(crate) daemon: Daemon,
    pub(crate) receiver: Receiver,
    pub(crate) prompts: Prompts,
}

impl Office {
    /// Starts the daemon, which has been set up [`with_applications`], and sets the application.
    pub(crate) fn start(setup: Setup) -> Self {
        let office = Self {
            daemon: setup.start(),
            receiver: Receiver::start(),
            prompts: Prompts::start(),
        };
        office.set_application(PLENTY, &[]);
        office
    }

    /// Sets the suite's application: its receiver, its rate and its filter.
    pub(crate) fn set_application(&self, rate_limit: u64, events: &[&str]) {
        let settings = json!({
            "webhook_url": self.receiver.url(),
            "api_key": KEY,
            "rate_limit": rate_limit,
            "events": events,
        });
        let answer = set_application(&self.daemon, TENANT, &settings);
        assert!([200, 201].contains(&answer.status), "{}", answer.text());
        // Told once: when it was made.
        if let Some(secret) = support::field(&answer.json(), "webhook_secret") {
            self.receiver.set_secret(secret.as_str().expect("a secret"));
        }
    }

    /// Waits until all lines' devices run.
    pub(crate) fn wait_for_lines(&self) {
        wait::until("the lines' devices", || {
            let lines = self.daemon.json(&["lines"]);
            let items = lines["items"].as_array()?;
            let runs = |line: &Value| line["state"] == "running";
            (!items.is_empty() && items.iter().all(runs)).then_some(())
        });
    }
}

/// An office whose lines are sound cards, and who calls on them.
pub(crate) struct Rig {
    office: Office,
    pub(crate) duplex: Duplex,
}

impl std::ops::Deref for Rig {
    type Target = Office;

    fn deref(&self) -> &Office {
        &self.office
    }
}

impl std::ops::DerefMut for Rig {
    fn deref_mut(&mut self) -> &mut Office {
        &mut self.office
    }
}

impl Rig {
    /// With one API-driven line; `line` is more of its table.
    pub(crate) fn start(line: &str) -> Self {
        Self::with(&[(LINE, &format!("trigger = \"api\"\npre_roll_ms = 0\n{line}"))])
    }

    /// With these lines.
    pub(crate) fn with(lines: &[(&str, &str)]) -> Self {
        let setup = with_applications(Setup::new());
        let duplex = Duplex::start(setup.folder(), lines.len());
        let setup = setup.alsa(duplex.alsa());
        let setup = lines.iter().enumerate().fold(setup, |setup, (at, line)| {
            let (name, rest) = line;
            setup.line(name, &format!("{}{rest}", Duplex::devices(at)))
        });
        let rig = Self {
            office: Office::start(setup),
            duplex,
        };
        rig.wait_for_lines();
        rig.wait_for_pace();
        rig
    }

    /// A sink that was idle brings its first two seconds at once and keeps its pace from then on.
    /// What is recorded of both directions lies side by side only once it does.
    pub(crate) fn wait_for_pace(&self) {
        let frames = || support::number(&self.daemon.json(&["lines"]), "frames");
        let before = frames();
        wait::until("the lines' pace", || {
            (frames() > before + 3 * u64::from(RATE)).then_some(())
        });
    }

    /// The caller on the line of this number.
    pub(crate) fn caller(&self, line: usize) -> Caller {
        self.duplex.caller(line, self.daemon.alsa())
    }

    /// A request of the application.
    pub(crate) fn request(method: &str, target: &str) -> Request {
        Request::new(method, target)
            .with("X-App-ID", TENANT)
            .with("X-API-Key", KEY)
            .with("Content-Type", "application/json")
    }

    /// Opens a call on the suite's line; it is not answered yet.
    pub(crate) fn open(&self) -> Call<'_> {
        self.open_on(LINE)
    }

    /// Opens a call on a line.
    pub(crate) fn open_on(&self, line: &str) -> Call<'_> {
        let body = json!({ "line": line, "caller_id": "+15551234567", "did": "+15559876543" });
        let request = Self::request("POST", "/api/v1/sessions").body(body.to_string().as_bytes());
        let answer = self.daemon.ask(&request);
        assert_eq!(answer.status, 201, "{}", answer.text());
        let uuid = support::word(&answer.json(), "session_uuid");
        Call::of(self, uuid)
    }

    /// Opens a call and answers it.
    pub(crate) fn answered(&self) -> Call<'_> {
        let call = self.open();
        call.run("answer", &json!({}));
        let _ = call.wait("call.answered");
        call
    }
}

/// A call as its application sees it.
pub(crate) struct Call<'a> {
    rig: &'a Office,
    pub(crate) uuid: String,
    uids: Cell<u32>,
}

impl<'a> Call<'a> {
    /// The call of this name.
    pub(crate) fn of(rig: &'a Office, uuid: String) -> Self {
        Self {
            rig,
            uuid,
            uids: Cell::new(0),
        }
    }

    /// A fresh `command_uid`.
    fn uid(&self, name: &str) -> String {
        self.uids.set(self.uids.get() + 1);
        format!("{}-{}", name.replace('/', "-"), self.uids.get())
    }

    /// The path of a command.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("/api/v1/sessions/{}/commands/{name}", self.uuid)
    }

    /// Gives a command as it is and gives the answer.
    pub(crate) fn command(&self, name: &str, body: &Value) -> Answer {
        let request = Rig::request("POST", &self.path(name));
        self.rig
            .daemon
            .ask(&request.body(body.to_string().as_bytes()))
    }

    /// Gives a command under a fresh `command_uid`, as soon as its group's pause is over, and
    /// gives that uid.
    pub(crate) fn send(&self, name: &str, body: &Value) -> String {
        let mut body = body.clone();
        let uid = self.uid(name);
        body["command_uid"] = uid.clone().into();
        let mut client: Client = self.rig.daemon.client(Transport::Plain1);
        let request = Rig::request("POST", &self.path(name)).body(body.to_string().as_bytes());
        let answer = wait::until("the end of a pause", || {
            let answer = client.send(&request);
            (answer.status != 429).then_some(answer)
        });
        assert_eq!(answer.status, 202, "{name}: {}", answer.text());
        let json = answer.json();
        assert_eq!(json["status"], "in_progress", "{json}");
        assert_eq!(json["timeout_ms"], 2_000, "{json}");
        uid
    }

    /// Gives a command, waits for its success, and gives its uid.
    pub(crate) fn run(&self, name: &str, body: &Value) -> String {
        let uid = self.send(name, body);
        let result = self.result(&uid);
        assert_eq!(result["success"], true, "{name}: {result}");
        uid
    }

    /// Waits for a command's result.
    pub(crate) fn result(&self, uid: &str) -> Value {
        self.wait_for("command.result", uid)
    }

    /// Plays files, waits until they are heard, and gives the uid.
    pub(crate) fn play(&self, urls: &[&str]) -> String {
        let uid = self.run("playback/start", &json!({ "urls": urls }));
        let _ = self.wait_for("playback.started", &uid);
        uid
    }

    /// Hangs up and waits for the end.
    pub(crate) fn hang_up(&self) -> Value {
        self.run("hangup", &json!({}));
        self.wait("call.hangup")
    }

    /// The events that the receiver has accepted, in their order.
    pub(crate) fn events(&self) -> Vec<Delivery> {
        self.rig.receiver.of(&self.uuid)
    }

    /// The accepted events of one name.
    pub(crate) fn named(&self, name: &str) -> Vec<Value> {
        let events = self.events().into_iter();
        let named = events.filter(|event| event.event == name);
        named.map(|event| event.body["data"].clone()).collect()
    }

    /// Waits for the first event of a name and gives its data.
    pub(crate) fn wait(&self, name: &str) -> Value {
        wait::until(name, || self.named(name).into_iter().next())
    }

    /// Waits for the event of a name and a `command_uid` and gives its data.
    pub(crate) fn wait_for(&self, name: &str, uid: &str) -> Value {
        wait::until(&format!("{name} of {uid}"), || {
            let named = self.named(name).into_iter();
            named.into_iter().find(|data| data["command_uid"] == uid)
        })
    }

    /// `GET /api/v1/sessions/{uuid}`
    pub(crate) fn look(&self) -> Value {
        let target = format!("/api/v1/sessions/{}", self.uuid);
        let answer = self.rig.daemon.ask(&Rig::request("GET", &target));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Waits until everything that was begun has its end, after the call's end; then checks the
    /// call's whole story.
    pub(crate) fn settle(&self) -> Vec<Delivery> {
        let _ = self.wait("call.hangup");
        let events = wait::until("the call's last event", || {
            let events = self.events();
            let told = self.look()["sequence"].as_u64();
            let last = events.iter().map(|event| event.sequence).max();
            (told == last && super::ledger::is_settled(&events)).then_some(events)
        });
        super::ledger::check(&self.uuid, &events);
        events
    }
}

/// A whole number of an event's data.
pub(crate) fn number(data: &Value, name: &str) -> usize {
    let number = data[name].as_u64();
    let number = number.unwrap_or_else(|| panic!("no whole number '{name}' in {data}"));
    usize::try_from(number).expect("a number that fits memory")
}

/// Whether two numbers are at most so far apart.
pub(crate) fn assert_near(what: &str, seen: usize, wanted: usize, tolerance: usize) {
    assert!(
        seen.abs_diff(wanted) <= tolerance,
        "{what}: {seen}, not {wanted} ± {tolerance}"
    );
}
