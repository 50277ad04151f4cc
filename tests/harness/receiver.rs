//! A receiver of webhooks, as an application runs one: it checks each signature (Standard Webhooks
//! 1.0.0), keeps everything it got, and fails in the ways that receivers do when told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::Value;

use crate::ports;
use crate::server::{Asked, Reply, Server};
use crate::wait;

/// A delivery that came in, accepted or not.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// `webhook-id`
    pub id: String,
    /// `webhook-timestamp`
    pub timestamp: u64,
    /// `event` of the body.
    pub event: String,
    /// `session_uuid` of the body.
    pub session: String,
    /// `sequence` of the body.
    pub sequence: u64,
    /// The body.
    pub body: Value,
    /// The body as it came.
    pub raw: Vec<u8>,
    /// Whether it was answered 2xx.
    pub accepted: bool,
}

/// What a delivery is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// 200.
    Accept,
    /// 500.
    Fail,
    /// Nothing, while the sender waits.
    Stall,
    /// Nothing; the connection is closed.
    Close,
    /// 410.
    Gone,
}

type Chooser = dyn FnMut(&Delivery) -> Mood + Send;

struct Kept {
    deliveries: Mutex<Vec<Delivery>>,
    /// What was wrong with requests.
    faults: Mutex<Vec<String>>,
    secret: Mutex<Option<Vec<u8>>>,
    mood: Mutex<Box<Chooser>>,
}

/// A receiver with everything it got, running or not.
pub struct Receiver {
    address: SocketAddr,
    kept: Arc<Kept>,
    server: Option<Server>,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Receiver({})", self.address)
    }
}

impl Receiver {
    /// Starts one that accepts everything that is signed.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn start() -> Self {
        let kept = Kept {
            deliveries: Mutex::default(),
            faults: Mutex::default(),
            secret: Mutex::default(),
            mood: Mutex::new(Box::new(|_| Mood::Accept)),
        };
        let mut receiver = Self {
            address: ports::free_address(),
            kept: Arc::new(kept),
            server: None,
        };
        receiver.restart();
        receiver
    }

    /// Where deliveries go.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// The secret that signatures are checked with: `whsec_<base64>`.
    ///
    /// # Panics
    /// When it has another form.
    pub fn set_secret(&self, text: &str) {
        let encoded = text.strip_prefix("whsec_").expect("whsec_…");
        let secret = STANDARD.decode(encoded).expect("base64");
        assert!((24..=64).contains(&secret.len()), "{} bytes", secret.len());
        *lock(&self.kept.secret) = Some(secret);
    }

    /// How deliveries are answered from now on; one whose signature is wrong is 401 anyway.
    pub fn set_mood(&self, mood: impl FnMut(&Delivery) -> Mood + Send + 'static) {
        *lock(&self.kept.mood) = Box::new(mood);
    }

    /// Ends it; what it got is kept.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts it where it was.
    ///
    /// # Panics
    /// When its address is taken.
    pub fn restart(&mut self) {
        self.server = None;
        let server = wait::until("the receiver's address", || {
            let kept = Arc::clone(&self.kept);
            Server::start_at(self.address, move |asked| take(&kept, asked)).ok()
        });
        self.server = Some(server);
    }

    /// Everything that came, in the order it came.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.kept.deliveries).clone()
    }

    /// How many deliveries came.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.kept.deliveries).len()
    }

    /// What was accepted, each id once, in the order it first was.
    ///
    /// # Panics
    /// When a delivery came again with another body, or an unsigned request came.
    #[must_use]
    pub fn accepted(&self) -> Vec<Delivery> {
        self.insist_clean();
        let mut bodies: HashMap<String, Vec<u8>> = HashMap::new();
        let mut accepted: Vec<Delivery> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for delivery in self.deliveries() {
            let first = bodies
                .entry(delivery.id.clone())
                .or_insert_with(|| delivery.raw.clone());
            assert_eq!(*first, delivery.raw, "{} came with two bodies", delivery.id);
            if delivery.accepted && seen.insert(delivery.id.clone()) {
                accepted.push(delivery);
            }
        }
        accepted
    }

    /// The accepted events of a session, in the order they came.
    #[must_use]
    pub fn of(&self, session: &str) -> Vec<Delivery> {
        let mut all = self.accepted();
        all.retain(|delivery| delivery.session == session);
        all
    }

    /// Fails the test when a request was no well-formed, signed delivery.
    ///
    /// # Panics
    /// With what was wrong.
    pub fn insist_clean(&self) {
        let faults = lock(&self.kept.faults);
        assert!(faults.is_empty(), "deliveries with faults: {faults:?}");
    }
}

fn take(kept: &Kept, asked: &Asked) -> Reply {
    let mut delivery = match read(kept, asked) {
        Ok(delivery) => delivery,
        Err(fault) => {
            lock(&kept.faults).push(fault);
            return Reply::status(401);
        }
    };
    let mood = lock(&kept.mood)(&delivery);
    delivery.accepted = mood == Mood::Accept;
    lock(&kept.deliveries).push(delivery);
    match mood {
        Mood::Accept => Reply::status(200),
        Mood::Fail => Reply::status(500),
        Mood::Stall => Reply::Stall,
        Mood::Close => Reply::Close,
        Mood::Gone => Reply::status(410),
    }
}

fn read(kept: &Kept, asked: &Asked) -> Result<Delivery, String> {
    let header = |name: &str| {
        let found = asked.header(name).map(str::to_owned);
        found.ok_or_else(|| format!("no {name} in {:?}", asked.headers))
    };
    if asked.method != "POST" || asked.target != "/hooks" {
        return Err(format!("{} {}", asked.method, asked.target));
    }
    if !header("content-type")?.starts_with("application/json") {
        return Err(format!("Content-Type: {}", header("content-type")?));
    }
    let (id, stamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let timestamp = stamp.parse().map_err(|_| format!("time stamp {stamp}"))?;
    let mut signed = format!("{id}.{stamp}.").into_bytes();
    signed.extend_from_slice(&asked.body);
    let signatures = header("webhook-signature")?;
    let secret = lock(&kept.secret);
    let secret = secret.as_ref().ok_or("a delivery before the secret")?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let is_signed = signatures.split(' ').any(|signature| {
        signature
            .strip_prefix("v1,")
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .is_some_and(|tag| hmac::verify(&key, &signed, &tag).is_ok())
    });
    if !is_signed {
        return Err(format!("{id}: signature {signatures}"));
    }
    let body: Value = serde_json::from_slice(&asked.body).map_err(|error| error.to_string())?;
    let text = |name: &str| {
        let found = body[name].as_str().map(str::to_owned);
        found.ok_or_else(|| format!("no {name} in {body}"))
    };
    let event = text("event")?;
    // The appliance's own are of no session.
    let (session, sequence) = if event.starts_with("appliance.") {
        (String::new(), 0)
    } else {
        let sequence = body["sequence"].as_u64();
        let sequence = sequence.ok_or_else(|| format!("no sequence in {body}"))?;
        (text("session_uuid")?, sequence)
    };
    Ok(Delivery {
        id,
        timestamp,
        event,
        session,
        sequence,
        raw: asked.body.clone(),
        accepted: false,
        body,
    })
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
