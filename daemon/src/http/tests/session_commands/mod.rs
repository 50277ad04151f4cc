//! Family `session_commands`, as seed 001 and API.md section 2 have it, before an exchange that is
//! a double around the real state machine.

mod access;
mod apps;
mod commands;
mod events;
mod exchange;
mod sessions;

use storage::ids::{AppId, TenantId};
use storage::outbox::AppSettings;

use self::exchange::Exchange;
use super::client::Ask;
use super::rig::Rig;

/// The key of application `a`.
const KEY: &str = "0123456789abcdef-a";
/// The key of application `b`.
const OTHER_KEY: &str = "0123456789abcdef-b";
/// Nobody's session.
const ABSENT: &str = "00000000-0000-4000-8000-000000000000";

/// A server with two applications, and an exchange behind it.
struct Desk {
    rig: Rig,
    exchange: Exchange,
}

impl Desk {
    fn new() -> Self {
        Self::limited(10_000)
    }

    /// With so many requests a minute for each application.
    fn limited(a_minute: u32) -> Self {
        let mut rig = Rig::new();
        let exchange = Exchange::start(&mut rig);
        let desk = Self { rig, exchange };
        desk.set("a", KEY, a_minute);
        desk.set("b", OTHER_KEY, a_minute);
        desk
    }

    fn set(&self, name: &str, key: &str, rate_limit: u32) {
        let storage = &self.rig.site.storage;
        let tenants = storage.tenants().unwrap();
        let tenant = tenants.iter().find(|row| row.name.as_str() == name);
        let tenant: TenantId = tenant.unwrap().id;
        let settings = AppSettings {
            webhook_url: None,
            api_key: Some(key.to_owned()),
            rate_limit,
            events: Vec::new(),
            secret: None,
        };
        let app_id = AppId::new(name).unwrap();
        let put = storage.outbox().put_application(tenant, &app_id, settings);
        put.unwrap();
    }

    /// Opens a call on line `desk`; its path.
    fn call(&self) -> String {
        let answer = post("/api/v1/sessions", r#"{"line":"desk"}"#).ask(&self.rig);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.header("location").unwrap().to_owned()
    }

    /// Opens a call and answers it.
    fn answered_call(&self) -> String {
        let path = self.call();
        let answer = post(format!("{path}/commands/answer"), "{}").ask(&self.rig);
        assert_eq!(answer.status, 202, "{answer:?}");
        path
    }
}

/// With the credentials of application `a`.
fn mine(ask: Ask<'_>) -> Ask<'_> {
    ask.with("x-app-id", "a").with("x-api-key", KEY)
}

/// With those of application `b`.
fn others(ask: Ask<'_>) -> Ask<'_> {
    ask.with("x-app-id", "b").with("x-api-key", OTHER_KEY)
}

fn get(path: impl Into<String>) -> Ask<'static> {
    mine(Ask::get(path))
}

fn post(path: impl Into<String>, body: &str) -> Ask<'static> {
    mine(Ask::get(path).json(body))
}
