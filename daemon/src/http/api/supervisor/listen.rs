//! The sound of a line as it comes, over a WebSocket (RFC 6455): words as text frames, sound as
//! binary ones. Listeners take what the engine hands out to all of them; one that is slow misses
//! some, and sees by the numbers how much. None ever holds anything up.

use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Response, StatusCode, Version};
use ring::digest;
use serde_json::json;
use storage::ids::LineName;
use tokio::sync::watch;
use tokio::time::{interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::lines::place;
use super::scope::Right;
use super::session::{Watcher, still};
use super::{Asked, invalid, no_such, unavailable};
use crate::engine::listen::{Heard, ListenError, listen_act};
use crate::http::auth::supervisor as auth;
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::event_streams::StreamPlace;
use crate::http::limits;
use crate::http::request::{Query, segment};
use crate::http::site::LiveSound;
use crate::http::upgrade::{Duplex, Upgraded};

/// Answers with the upgrade; the sound follows on the connection.
///
/// # Errors
/// 400, 404 for a line that is not there or not within the scope, 426 for what is no WebSocket,
/// 429, 503.
pub(super) async fn answer(asked: &Asked<'_>, raw: &str) -> Result<Response<Payload>, Problem> {
    let call = asked.call;
    // Browsers open WebSockets to anywhere, with cookies: the origin is what tells.
    auth::check_origin(call)?;
    match Query::of(call.parts).get("codec")?.as_deref() {
        None | Some("pcm16") => {}
        Some(_) => return Err(invalid("codec", "it is pcm16")),
    }
    let name = segment(raw).and_then(|name| LineName::new(name).ok());
    let name = name.ok_or_else(|| no_such("line"))?;
    if !is_within(asked, &name) {
        return Err(no_such("line"));
    }
    let accept = handshake(call.parts.version, &call.parts.headers)?;
    let place = place(asked)?;
    let site = &call.worker.site;
    let sound = site.engine.listen(&name).map_err(|error| match error {
        ListenError::NoLine(_) => no_such("line"),
        ListenError::TooMany(_) => unavailable(error.to_string()).retry_after(limits::LIVE_STALL),
    })?;
    tell(asked, &name, &*sound).await;
    let listener = Listener {
        watcher: Watcher::of(asked),
        line: name,
        sound,
        stop: call.connection.stop.clone(),
        _place: place,
    };
    let run = |upgraded| -> Pin<Box<dyn Future<Output = ()>>> { Box::pin(listener.run(upgraded)) };
    call.connection.upgrade.set(Some(Box::new(run)));
    let mut response = Response::new(Payload::Empty);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

fn is_within(asked: &Asked<'_>, name: &LineName) -> bool {
    let site = &asked.call.worker.site;
    let lines = site.supervisors.lines.look(&*site.engine, &*site.clock);
    let mut lines = lines.iter();
    lines.any(|line| line.name == *name && line.is_within(&asked.scope))
}

/// Tells the ledger who listens to what, before the first sound.
async fn tell(asked: &Asked<'_>, name: &LineName, sound: &dyn LiveSound) {
    let site = &asked.call.worker.site;
    let recording = sound.facts().map(|facts| facts.id);
    let act = listen_act(asked.scope.tenant, name, recording).by(asked.actor());
    let act = act.from(asked.call.connection.peer.ip().to_canonical());
    if let Some(mut underway) = site.storage.record_act_awaited(act)
        && timeout(limits::LISTENING_WAIT, underway.durable())
            .await
            .is_err()
    {
        log::warn!("the ledger cannot be written in time: live sound goes out before its entry");
    }
}

/// What a handshake is answered with (RFC 6455 section 4.2.2).
fn handshake(version: Version, headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    let is_upgrade = has_word(headers, CONNECTION, "upgrade")
        && has_word(headers, UPGRADE, "websocket")
        && version == Version::HTTP_11;
    let version = headers.get(SEC_WEBSOCKET_VERSION);
    if !is_upgrade || version.is_none_or(|version| version != "13") {
        let message = "This path speaks WebSocket, version 13, over HTTP/1.1.";
        return Err(
            Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message)
                .header(UPGRADE, HeaderValue::from_static("websocket"))
                .header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        );
    }
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let key = match (keys.next(), keys.next()) {
        (Some(key), None) => key.as_bytes(),
        _ => return Err(invalid("Sec-WebSocket-Key", "it is sent once")),
    };
    if STANDARD.decode(key).map(|nonce| nonce.len()) != Ok(16) {
        return Err(invalid("Sec-WebSocket-Key", "it is 16 bytes in base64"));
    }
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(GUID);
    let accept = STANDARD.encode(hash.finish());
    HeaderValue::from_str(&accept).map_err(Problem::internal)
}

/// Whether a list of words has this one.
fn has_word(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let mut words = values.flat_map(|value| value.split(','));
    words.any(|found| found.trim().eq_ignore_ascii_case(word))
}

/// One listener.
struct Listener {
    watcher: Watcher,
    line: LineName,
    sound: Box<dyn LiveSound>,
    /// Turns true when the server drains.
    stop: watch::Receiver<bool>,
    _place: StreamPlace,
}

/// Why a listener goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The daemon stops.
    Stop,
    /// The session has ended.
    Session,
    /// The role or the groups are others now.
    Forbidden,
    /// The client went, or takes nothing.
    Client,
}

impl End {
    /// The code and the word of the closing frame.
    const fn code(self) -> (u16, &'static str) {
        match self {
            Self::Client => (1_000, "ended"),
            Self::Stop => (1_001, "unavailable"),
            Self::Session => (4_401, "session_expired"),
            Self::Forbidden => (4_403, "forbidden"),
        }
    }
}

type Socket = WebSocketStream<Box<dyn Duplex>>;

impl Listener {
    async fn run(mut self, upgraded: Upgraded) {
        let config = WebSocketConfig::default()
            .read_buffer_size(limits::LIVE_MESSAGE_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(64 * 1_024)
            .max_message_size(Some(limits::LIVE_MESSAGE_BYTES))
            .max_frame_size(Some(limits::LIVE_MESSAGE_BYTES));
        let ahead = upgraded.read_ahead.to_vec();
        let made =
            WebSocketStream::from_partially_read(upgraded.io, ahead, Role::Server, Some(config));
        let mut socket = made.await;
        let end = self.serve(&mut socket).await;
        let (code, reason) = end.code();
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        let closing = async {
            // The client may be gone, or answers: both end here.
            let _ = socket.close(Some(frame)).await;
            while let Some(Ok(_)) = socket.next().await {}
        };
        let _ = timeout(limits::CLOSE_LINGER, closing).await;
    }

    async fn serve(&mut self, socket: &mut Socket) -> End {
        let mut check = interval(limits::LINES_EVERY * limits::WATCHER_CHECK_BEATS);
        let mut beats: u32 = 0;
        let mut stop = self.stop.clone();
        if !send(socket, self.opening()).await {
            return End::Client;
        }
        if self.sound.has_notice() && !send(socket, text(&json!({ "event": "notice" }))).await {
            return End::Client;
        }
        loop {
            let message = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return End::Stop,
                _ = check.tick() => {
                    match self.standing() {
                        Some(end) => return end,
                        None => beats = beats.wrapping_add(1),
                    }
                    if !beats.is_multiple_of(PING_CHECKS) {
                        continue;
                    }
                    Message::Ping(Bytes::new())
                }
                said = socket.next() => match said {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Client,
                    // Listeners have nothing to say; pings are answered below.
                    Some(Ok(_)) => continue,
                },
                heard = self.sound.next() => written(heard),
            };
            if !send(socket, message).await {
                return End::Client;
            }
        }
    }

    /// What a listener is told first.
    fn opening(&self) -> Message {
        let (format, facts) = (self.sound.format(), self.sound.facts());
        text(&json!({
            "rate": format.rate.hertz(),
            "channels": format.channels.count(),
            "recording_id": facts.as_ref().map(|facts| facts.id.to_string()),
            "started_at": facts.map(|facts| facts.started_at.0),
        }))
    }

    /// Why it may not go on listening, if there is a reason.
    fn standing(&self) -> Option<End> {
        let Some((can, scope)) = still(&self.watcher) else {
            return Some(End::Session);
        };
        let site = &self.watcher.site;
        let lines = site.supervisors.lines.look(&*site.engine, &*site.clock);
        let mut lines = lines.iter();
        let is_within = lines.any(|line| line.name == self.line && line.is_within(&scope));
        (!can.has(Right::ListenLive) || !is_within).then_some(End::Forbidden)
    }
}

/// Sends a frame; whether it was taken in time.
async fn send(socket: &mut Socket, message: Message) -> bool {
    matches!(
        timeout(limits::LIVE_STALL, socket.send(message)).await,
        Ok(Ok(()))
    )
}

fn text(value: &serde_json::Value) -> Message {
    Message::text(value.to_string())
}

/// What a listener gets.
fn written(heard: Heard) -> Message {
    match heard {
        // Its number is in front already.
        Heard::Sound(sound) => Message::Binary(sound.frame),
        Heard::Began {
            recording,
            started_at,
        } => text(&json!({
            "event": "recording",
            "recording_id": recording.to_string(),
            "started_at": started_at.map(|at| at.0),
        })),
        Heard::Gap(gap) => text(&json!({ "event": "gap", "ms": gap.0 })),
        Heard::Paused(paused) => text(&json!({ "event": "paused", "paused": paused })),
        Heard::Ended => text(&json!({ "event": "ended" })),
    }
}

/// A ping is sent at every third look at the session.
const PING_CHECKS: u32 = limits::WATCHER_PING_BEATS / limits::WATCHER_CHECK_BEATS;
/// RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use audio_io::units::Millis;

    use super::*;
    use crate::engine::listen::Sound;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn the_handshake_is_the_standards_own_example() {
        let good = [
            (CONNECTION, "keep-alive, Upgrade"),
            (UPGRADE, "websocket"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let accept = handshake(Version::HTTP_11, &headers(&good)).unwrap();
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for (missing, _) in &good {
            let mut less = headers(&good);
            less.remove(missing);
            assert!(handshake(Version::HTTP_11, &less).is_err(), "{missing}");
        }
        assert!(handshake(Version::HTTP_2, &headers(&good)).is_err());
        let mut short = headers(&good);
        short.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhl"));
        assert!(handshake(Version::HTTP_11, &short).is_err());
    }

    #[test]
    fn words_are_text_and_sound_is_not() {
        let frame = Bytes::from_static(&[2, 1, 0, 0, 1, 2, 3, 4]);
        let sound = Sound {
            sequence: 258,
            frame: frame.clone(),
        };
        assert_eq!(written(Heard::Sound(sound)), Message::Binary(frame));
        let Message::Text(text) = written(Heard::Gap(Millis(80))) else {
            panic!("words are text");
        };
        assert_eq!(text.as_str(), "{\"event\":\"gap\",\"ms\":80}");
    }
}
