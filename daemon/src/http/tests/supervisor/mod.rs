//! Family `supervisor`: sessions and their guards, roles, what is changed, watched and exported.

mod changes;
mod document;
mod exports;
mod lines;
mod roles;
mod sessions;

use std::sync::Arc;

use audio_io::format::StreamFormat;
use audio_io::units::{CentiDbfs, Frames};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use storage::account::{NewUser, Role};
use storage::handle::{ImportNames, ImportRequest};
use storage::ids::{GroupName, LineName, Number, TenantId, UserName};
use storage::ledger::entry::Entry;
use storage::ledger::query::AuditFilter;
use storage::record::{Container, Recording};

use super::client::{Answer, Ask, Way};
use super::rig::{Calm, Rig, pattern};
use crate::config::schema::{Group, Trigger};
use crate::engine::LineSnapshot;

const PASSWORD: &str = "correct horse";
const BASE: &str = "/api/supervisor/v1";

/// Somebody who is signed in.
struct Person {
    cookie: String,
    csrf: String,
}

fn line_name(text: &str) -> LineName {
    LineName::new(text).unwrap()
}

fn path(rest: &str) -> String {
    format!("{BASE}/{rest}")
}

/// A rig with two lines, of which one is in the group `sales`.
fn rig() -> Rig {
    let engine = Arc::new(Calm::default());
    *engine.lines.lock().unwrap() = vec![line("desk", 1), line("shop", 1), line("other", 2)];
    Rig::with_engine(
        |config| {
            config.groups = vec![Group {
                name: GroupName::new("sales").unwrap(),
                lines: vec![line_name("shop")],
            }];
        },
        engine,
    )
}

fn line(name: &str, tenant: u32) -> LineSnapshot {
    LineSnapshot {
        name: line_name(name),
        tenant: "a".into(),
        tenant_id: TenantId(tenant),
        trigger: Trigger::Api,
        format: StreamFormat::TELEPHONE,
        state: "running",
        error: None,
        capture: Vec::new(),
        frames: 0,
        lost_frames: 0,
        overruns: 0,
        stalls: 0,
        opens: 1,
        ring_full_frames: 0,
        ring_depth_max: 0,
        unrecorded_frames: 0,
        slipped_frames: 0,
        rms_dbfs: vec![CentiDbfs(-3_000)],
        peak_dbfs: vec![CentiDbfs(-2_000)],
        voice: false,
        recording: None,
        playback: None,
        playback_state: None,
        playback_error: None,
        playback_underruns: 0,
        session: None,
        channel: None,
        alarms: Vec::new(),
        alarms_total: 0,
        listening: 0,
        listening_lost: 0,
    }
}

fn add(rig: &Rig, tenant: TenantId, name: &str, role: Role) {
    add_in(rig, (tenant, name, role), &[], None);
}

fn add_in(
    rig: &Rig,
    (tenant, name, role): (TenantId, &str, Role),
    groups: &[&str],
    line: Option<&str>,
) {
    let user = NewUser {
        tenant,
        name: UserName::new(name).unwrap(),
        role,
        password: PASSWORD.to_owned(),
        allow: Vec::new(),
        groups: groups
            .iter()
            .map(|name| GroupName::new(*name).unwrap())
            .collect(),
        line: line.map(line_name),
    };
    rig.site.storage.add_user(user).unwrap();
}

fn sign_in(rig: &Rig, name: &str, way: Way) -> Answer {
    let body = json!({ "name": name, "password": PASSWORD }).to_string();
    Ask::get(path("session")).json(&body).send(rig, way)
}

/// The session of a user who has [`PASSWORD`].
fn person(rig: &Rig, name: &str) -> Person {
    let answer = sign_in(rig, name, Way::PlainH1);
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let cookie = answer.header("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let csrf = answer.json()["csrf"].as_str().unwrap().to_owned();
    Person { cookie, csrf }
}

/// A user of the rig's tenant, added and signed in.
fn somebody(rig: &Rig, name: &str, role: Role) -> Person {
    add(rig, rig.tenant, name, role);
    person(rig, name)
}

impl Person {
    fn get(&self, rig: &Rig, rest: &str) -> Answer {
        Ask::get(path(rest))
            .with("cookie", self.cookie.clone())
            .ask(rig)
    }

    fn send(&self, rig: &Rig, method: Method, rest: &str, body: &Value) -> Answer {
        Ask::get(path(rest))
            .json(&body.to_string())
            .method(method)
            .with("cookie", self.cookie.clone())
            .with("x-callreel-csrf", self.csrf.clone())
            .with("origin", "http://localhost")
            .ask(rig)
    }

    fn post(&self, rig: &Rig, rest: &str, body: &Value) -> Answer {
        self.send(rig, Method::POST, rest, body)
    }
}

/// A recording of a line, and of an agent.
fn recording(rig: &Rig, line: Option<&str>, agent: Option<&str>) -> Recording {
    let source = rig.folder.path().join("source");
    std::fs::write(&source, pattern(20_000)).unwrap();
    let request = ImportRequest {
        tenant: rig.tenant,
        source,
        container: Container::Wav,
        format: StreamFormat::TELEPHONE,
        frames: Frames(8_000),
        names: ImportNames::default(),
        line: line.map(line_name),
        from: Some(Number::new("+4930123456").unwrap()),
        to: None,
        started_at: None,
        agent: agent.map(|name| storage::ids::AgentName::new(name).unwrap()),
        direction: None,
    };
    rig.site.storage.import(request, &mut |_, _| ()).unwrap()
}

/// Ids of a search's answer.
fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let body = answer.json();
    let rows = body["recordings"].as_array().unwrap();
    let id = |row: &Value| row["id"].as_str().unwrap().to_owned();
    rows.iter().map(id).collect()
}

/// What the ledger tells, newest first.
fn told(rig: &Rig, kind: &str) -> Vec<Entry> {
    rig.site.storage.flush_index().unwrap();
    let filter = AuditFilter {
        kinds: vec![kind.parse().unwrap()],
        ..AuditFilter::default()
    };
    rig.site.storage.audit(&filter, None, 100).unwrap().entries
}

/// The tenant that is not the rig's.
fn other_tenant(rig: &Rig) -> TenantId {
    let tenants = rig.site.storage.tenants().unwrap();
    tenants.iter().find(|it| it.id != rig.tenant).unwrap().id
}
