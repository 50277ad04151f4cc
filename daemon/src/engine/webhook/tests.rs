//! Webhooks delivered to receivers on loopback that fail, stall, redirect and go away. What the
//! tests share lies here. Nothing leaves the machine.

mod lives;
mod receivers;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audio_io::clock::{Clock, SystemClock};
use serde_json::Value;
use storage::handle::{IoChoice, StorageHandle, StoreOptions};
use storage::ids::{AppId, TenantId, TenantName};
use storage::outbox::{AppKey, AppSettings, Application, NewEvent, Outbox, WebhookSecret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use uuid::Uuid;

use super::pace::Pace;
use super::*;

/// What a receiver does with a delivery.
#[derive(Clone)]
pub(super) enum Reply {
    Status(u16),
    /// With a header line.
    With(u16, String),
    /// Nothing, and the connection stays open.
    Hang,
}

/// A delivery as it came in.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) id: Uuid,
    pub(super) session: Uuid,
    pub(super) sequence: u64,
    /// Whether it was answered with a 2xx.
    pub(super) taken: bool,
}

/// Decides by the delivery and how many came before it.
type Script = dyn Fn(&Delivery, usize) -> Reply + Send + Sync;

/// A receiver. It checks of each delivery what can be checked.
#[derive(Clone)]
pub(super) struct Receiver {
    port: u16,
    seen: Arc<Mutex<Vec<Delivery>>>,
    count: watch::Sender<usize>,
}

impl Receiver {
    pub(super) async fn start(
        script: impl Fn(&Delivery, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let receiver = Self {
            port: listener.local_addr().unwrap().port(),
            seen: Arc::default(),
            count: watch::Sender::new(0),
        };
        let (script, this): (Arc<Script>, _) = (Arc::new(script), receiver.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(this.clone().take(stream, Arc::clone(&script)));
            }
        });
        receiver
    }

    async fn take(self, mut stream: TcpStream, script: Arc<Script>) {
        let Some(mut delivery) = read(&mut stream).await else {
            return;
        };
        let before = self.seen.lock().unwrap().len();
        let (status, more) = match script(&delivery, before) {
            Reply::Status(status) => (status, String::new()),
            Reply::With(status, line) => (status, format!("{line}\r\n")),
            Reply::Hang => {
                self.note(delivery);
                std::future::pending::<()>().await;
                return;
            }
        };
        delivery.taken = (200..300).contains(&status);
        self.note(delivery);
        let answer = format!("HTTP/1.1 {status} X\r\n{more}Content-Length: 2\r\n\r\nok");
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    fn note(&self, delivery: Delivery) {
        let mut seen = self.seen.lock().unwrap();
        seen.push(delivery);
        self.count.send_replace(seen.len());
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?a=b", self.port)
    }

    pub(super) fn seen(&self) -> Vec<Delivery> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn taken(&self) -> Vec<Delivery> {
        let seen = self.seen().into_iter();
        seen.filter(|delivery| delivery.taken).collect()
    }

    /// Waits until what was seen is enough.
    pub(super) async fn until(&self, enough: impl Fn(&[Delivery]) -> bool) {
        let mut count = self.count.subscribe();
        while !enough(&self.seen()) {
            count.changed().await.unwrap();
        }
    }

    pub(super) async fn until_taken(&self, most: usize) {
        let taken = |seen: &[Delivery]| seen.iter().filter(|one| one.taken).count();
        self.until(|seen| taken(seen) >= most).await;
    }
}

/// Reads and checks one request; `None` if its sender went away.
async fn read(stream: &mut TcpStream) -> Option<Delivery> {
    let mut request = Vec::new();
    let (head, length) = loop {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let Some(end) = request.windows(4).position(|at| at == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(request[..end].to_vec()).unwrap();
        let length = header(&head, "content-length").parse::<usize>().unwrap();
        break (head, end + 4 + length);
    };
    while request.len() < length {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    assert!(head.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "content-type"), "application/json");
    assert_eq!(header(&head, "accept"), "*/*");
    let body = &request[head.len() + 4..];
    let (id, at) = (
        header(&head, "webhook-id"),
        header(&head, "webhook-timestamp"),
    );
    let signed = sign::signature(&secret(), id, at.parse().unwrap(), body);
    assert_eq!(header(&head, "webhook-signature"), signed);
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body["data"]["digit"], body["digit"]);
    Some(Delivery {
        id: id.parse().unwrap(),
        session: body["session_uuid"].as_str().unwrap().parse().unwrap(),
        sequence: body["sequence"].as_u64().unwrap(),
        taken: false,
    })
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut found = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
    let value = found
        .next()
        .unwrap_or_else(|| panic!("no {name} in {head}"));
    assert!(found.next().is_none(), "{name} twice");
    value.1
}

pub(super) fn secret() -> WebhookSecret {
    WebhookSecret::new(vec![7; 32]).unwrap()
}

/// Retries at once.
pub(super) const HASTE: Pace = Pace {
    first: Duration::from_millis(1),
    most: Duration::from_millis(4),
    age: Duration::from_secs(3_600),
    attempt: Duration::from_secs(10),
};

/// An open store with one tenant.
pub(super) struct Rig {
    pub(super) outbox: Outbox,
    pub(super) clock: Arc<dyn Clock>,
    tenant: TenantId,
    _storage: StorageHandle,
}

impl Rig {
    pub(super) fn open(folder: &Path) -> Self {
        Self::open_with(folder, Arc::new(SystemClock))
    }

    pub(super) fn open_with(folder: &Path, clock: Arc<dyn Clock>) -> Self {
        let options = StoreOptions {
            data_dir: folder.to_owned(),
            index_cache_bytes: 8 << 20,
            io: IoChoice::Blocking,
        };
        let (storage, _, _) = StorageHandle::open(options, Arc::clone(&clock)).unwrap();
        let tenant = match storage.tenants().unwrap().first() {
            Some(tenant) => tenant.id,
            None => {
                let name = TenantName::new("a").unwrap();
                storage.add_tenant(name).unwrap().id
            }
        };
        Self {
            outbox: storage.outbox(),
            clock,
            tenant,
            _storage: storage,
        }
    }

    pub(super) fn app(&self, name: &str, url: &str) -> Arc<Application> {
        let settings = AppSettings {
            webhook_url: Some(url.to_owned()),
            api_key: Some("0123456789abcdef".into()),
            rate_limit: 100,
            events: Vec::new(),
            secret: Some(secret()),
        };
        let name = AppId::new(name).unwrap();
        let put = self.outbox.put_application(self.tenant, &name, settings);
        put.unwrap()
    }

    pub(super) fn deliver(&self, pace: Pace) -> Webhooks {
        let allow = vec!["127.0.0.0/8".parse().unwrap()];
        let clock = Arc::clone(&self.clock);
        Webhooks::start_at(self.outbox.clone(), clock, allow, pace)
    }

    /// Appends one event to each of so many sessions, `rounds` times over.
    pub(super) fn append(&self, app: AppKey, sessions: u128, rounds: usize) -> Vec<NewEvent> {
        let mut all = Vec::new();
        for _ in 0..rounds {
            let events: Vec<_> = (1..=sessions).map(digit).collect();
            self.outbox.append(app, events.clone()).unwrap();
            all.extend(events);
        }
        all
    }

    /// Lets others work until no event of an application waits.
    pub(super) async fn until_empty(&self, app: AppKey) {
        while self.outbox.counts(app).unwrap().waiting > 0 {
            tokio::task::yield_now().await;
        }
    }
}

pub(super) fn digit(of: u128) -> NewEvent {
    NewEvent {
        id: Uuid::new_v4(),
        session: Uuid::from_u128(of),
        event: "dtmf".into(),
        data: r#"{"digit":"5","duration_ms":80}"#.into(),
    }
}

/// Each session's deliveries in the order in which they were taken, from 1 without a gap, each
/// under an id of its own.
pub(super) fn check_order(taken: &[Delivery]) {
    let mut last: std::collections::HashMap<Uuid, u64> = std::collections::HashMap::new();
    let mut ids = std::collections::HashMap::new();
    for one in taken {
        let place = (one.session, one.sequence);
        assert_eq!(
            *ids.entry(one.id).or_insert(place),
            place,
            "an id is one event's"
        );
        let last = last.entry(one.session).or_default();
        // After a crash what was taken may come again, but nothing is passed over.
        assert!(one.sequence <= *last + 1, "{one:?} after {last}");
        *last = one.sequence.max(*last);
    }
    let places: std::collections::HashSet<_> = ids.values().collect();
    assert_eq!(places.len(), ids.len(), "an event has one id");
}
