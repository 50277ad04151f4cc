//! What the ledger is told of requests: who listened to what, made links, was refused, changed
//! something. One entry a listening, however many ranges a player asks for (`listenings.rs`); a
//! handful of entries an attack, however many keys are tried (`refusals.rs`).
//!
//! The first byte of a listening leaves when its entry is durable: whoever has heard something is
//! in the ledger, even if the power fails at once. Where the disk takes longer than
//! [`super::limits::LISTENING_WAIT`], or refuses, the sound goes out all the same with the entry
//! waiting in memory, since a full disk must stop nothing that can still be read; the ledger gets
//! it as soon as it can be written. Changes and links do not wait for theirs: they have commits of
//! their own to wait for, or give nothing away by themselves.

pub(super) mod listenings;
pub(super) mod refusals;

use std::time::Duration;

use http::{Method, Response, StatusCode};
use storage::account::UserRow;
use storage::ledger::acts::Underway;
use storage::ledger::entry::{Act, Actor, ActorKind, Kind};
use storage::outbox::Application;
use storage::record::{Container, KeyRow, RecordingFacts};

use self::listenings::{Id, Key};
use super::auth::Principal;
use super::body::Payload;
use super::service::Call;
use super::site::Site;

/// Who listens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Listener {
    /// Whoever showed a key, a ticket of it, or a session.
    Known(Principal),
    /// Whoever has a signed link.
    Link {
        /// The key that it was signed with.
        kid: u32,
        /// The beginning of its signature.
        mark: u64,
        /// When it ends, in seconds since 1970.
        expires_s: u64,
    },
}

/// What is listened to, and how.
#[derive(Clone, Copy)]
pub(super) struct Heard<'a> {
    /// To listen to or to keep.
    pub(super) how: Listening,
    /// Which recording.
    pub(super) facts: &'a RecordingFacts,
    /// What it is sent as.
    pub(super) container: Container,
}

/// The ways to get at a recording's sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Listening {
    /// To listen to.
    Play,
    /// To keep.
    Download,
    /// By a link that is shown with other things, for whenever.
    Link,
}

impl Listening {
    const fn kind(self) -> Kind {
        match self {
            Self::Play => Kind::Play,
            Self::Download => Kind::Download,
            Self::Link => Kind::LinkMade,
        }
    }
}

/// Tells the ledger of a listening before its answer goes out. Only sound is one: not HEAD, not
/// what has not changed, not a refusal.
pub(super) async fn heard(
    call: &Call<'_>,
    listener: Listener,
    heard: Heard<'_>,
    answer: Response<Payload>,
) -> Response<Payload> {
    let is_sound = matches!(
        answer.status(),
        StatusCode::OK | StatusCode::PARTIAL_CONTENT
    );
    if !is_sound || call.parts.method == Method::HEAD {
        return answer;
    }
    let site = &call.worker.site;
    let now = site.clock.monotonic();
    let key = Key {
        who: listener.id(),
        from: call.connection.peer.ip(),
        tenant: heard.facts.tenant,
        recording: heard.facts.id,
        how: heard.how,
    };
    let tell = || {
        let act = act(call, heard.how.kind()).on(heard.facts.tenant, heard.facts.id);
        let act = act.with("format", heard.container.extension());
        site.storage.record_act_awaited(listener.sign(site, act))
    };
    if let Some((underway, left)) = site.listenings.hear(key, now, tell) {
        wait(underway, left, call.request_id).await;
    }
    answer
}

/// Tells the ledger of a link to a recording that is shown to an application. Sessions show theirs
/// each time they are asked for: that is told like a listening, once, and nobody waits for it.
pub(super) fn shown(call: &Call<'_>, app: &Application, facts: &RecordingFacts, link: Act) {
    let site = &call.worker.site;
    let key = Key {
        who: Id::Application(app.key.number),
        from: call.connection.peer.ip(),
        tenant: facts.tenant,
        recording: facts.id,
        how: Listening::Link,
    };
    let now = site.clock.monotonic();
    let tell = || site.storage.record_act_awaited(link.by(application(app)));
    let _not_waited_for = site.listenings.hear(key, now, tell);
}

/// Waits until an entry is durable, but not for ever.
async fn wait(mut underway: Underway, left: Duration, request_id: &str) {
    if tokio::time::timeout(left, underway.durable())
        .await
        .is_err()
    {
        log::warn!(
            "{request_id} the ledger cannot be written in time: sound goes out before its entry"
        );
    }
}

impl Listener {
    const fn id(&self) -> Id {
        match self {
            Self::Known(Principal {
                user_id: Some(user_id),
                key_id: 0,
                ..
            }) => Id::User(*user_id),
            Self::Known(principal) => Id::Key(principal.key_id),
            Self::Link { mark, .. } => Id::Link(*mark),
        }
    }

    /// Adds who it is.
    fn sign(&self, site: &Site, act: Act) -> Act {
        match self {
            Self::Known(principal) => signed(site, principal, act),
            Self::Link {
                kid,
                mark,
                expires_s,
            } => act
                .by(Actor::new(ActorKind::Link, Some((*kid).into()), None))
                .with("link", mark_text(*mark))
                .with("until", expires_s.saturating_mul(1_000)),
        }
    }
}

/// What ties a link's entries together: 16 hex digits.
pub(super) fn mark_text(mark: u64) -> String {
    format!("{mark:016x}")
}

/// An act of a request, of whoever asks: its address, its family, and the name under which the
/// journal has it.
pub(super) fn act(call: &Call<'_>, kind: Kind) -> Act {
    Act::new(kind)
        .from(call.connection.peer.ip().to_canonical())
        .with("family", call.policy.group.label())
        .with("request", call.request_id)
}

/// Adds to an act by whom it is, and of a key the user that it is of.
pub(super) fn signed(site: &Site, principal: &Principal, act: Act) -> Act {
    let act = act.by(actor(site, principal));
    let user = principal.user_id.filter(|_| principal.key_id != 0);
    match user.and_then(|id| site.storage.user(id)) {
        Some(user) => act.with("user", user.name.as_str()),
        None => act,
    }
}

/// Who a principal is: a user by a session, or else a key.
pub(super) fn actor(site: &Site, principal: &Principal) -> Actor {
    if principal.key_id == 0 {
        let row = principal.user_id.and_then(|id| site.storage.user(id));
        let nameless = || Actor::new(ActorKind::User, principal.user_id, None);
        return row.as_ref().map_or_else(nameless, user);
    }
    let nameless = || Actor::new(ActorKind::Key, Some(principal.key_id), None);
    let row = site.storage.key(principal.key_id);
    row.as_ref().map_or_else(nameless, key)
}

/// A user who logs in or out.
pub(super) fn user(row: &UserRow) -> Actor {
    Actor::new(ActorKind::User, Some(row.user_id), Some(row.name.as_str()))
}

/// An application of family `session_commands`. Its number is not one of an issued key's.
pub(super) fn application(app: &Application) -> Actor {
    Actor::new(ActorKind::Key, None, Some(app.app_id.as_str()))
}

/// Whoever has the administrator's key.
pub(super) fn administrator() -> Actor {
    Actor::new(ActorKind::Key, None, Some("administrator"))
}

/// An issued key.
pub(super) fn key(row: &KeyRow) -> Actor {
    let label = Some(row.label.as_str()).filter(|label| !label.is_empty());
    Actor::new(ActorKind::Key, Some(row.key_id), label)
}
