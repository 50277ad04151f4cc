//! Recordings of this daemon that a call plays: they are fetched from it like from anybody, and
//! then lie in the cache, so the ledger is told here that the call plays them.

use std::net::IpAddr;

use storage::ids::{CallSid, RecordingId, RecordingName, TenantId};
use storage::ledger::entry::{Act, Actor, ActorKind, Kind};
use url::Url;
use uuid::Uuid;

use super::Files;
use super::library::own_origins;
use crate::config::schema::Http;
use crate::engine::session::command::Urls;
use crate::spool::off_loop;

impl Files {
    /// Tells the ledger which recordings are among the files that a call is about to play.
    pub(super) async fn tell(&self, owner: TenantId, session: Uuid, urls: &Urls) {
        let config = self.shared.config.load_full();
        let http = &config.http;
        let named = urls.iter().filter_map(|url| recording_of(url, http, owner));
        let named: Vec<_> = named.collect();
        if named.is_empty() {
            return;
        }
        let storage = self.shared.storage.clone();
        let told = off_loop(move || {
            let apps = storage.outbox().applications(Some(owner));
            let who = apps.first().map_or_else(
                || Actor::system("calls"),
                |app| Actor::new(ActorKind::Key, None, Some(app.app_id.as_str())),
            );
            for (tenant, name) in named {
                // What was deleted meanwhile is played from the cache, and has no row.
                let id = match (storage.find(tenant, &name), name) {
                    (Ok(Some(row)), _) => row.facts.id,
                    (_, RecordingName::Recid(id)) => id,
                    _ => continue,
                };
                let act = Act::new(Kind::Play).by(who.clone()).on(tenant, id);
                let act = act.with("family", "session_commands");
                storage.record_act(act.with("session", session.to_string()));
            }
            Ok(())
        });
        if let Err(error) = told.await {
            log::error!("the ledger cannot be told what a call plays: {error}");
        }
    }
}

/// The recording that a URL of this daemon's own names, and whose it is.
fn recording_of(url: &str, http: &Http, owner: TenantId) -> Option<(TenantId, RecordingName)> {
    let url = Url::parse(url).ok()?;
    if !is_own(&url, http) {
        return None;
    }
    let field = |name: &str| {
        let mut fields = url.query_pairs();
        fields
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.into_owned())
    };
    let path = url.path();
    if let Some(link) = path.strip_prefix("/media/") {
        let (tenant, id) = link.split_once('-')?;
        let tenant = TenantId(u32::from_str_radix(tenant, 16).ok()?);
        let id = RecordingId(u64::from_str_radix(id, 16).ok()?);
        return Some((tenant, RecordingName::Recid(id)));
    }
    let name = if path.ends_with("/PlayAudioFile.php") {
        RecordingName::Recid(RecordingId(field("recid")?.parse().ok()?))
    } else if let Some(task) = path.strip_prefix("/api/v1/sse/audio/") {
        RecordingName::Task(Uuid::try_parse(task).ok()?)
    } else {
        let call = path.strip_prefix("/api/calls/")?;
        let sid = call.strip_suffix("/recording/download")?;
        RecordingName::CallSid(CallSid::new(sid).ok()?)
    };
    Some((owner, name))
}

/// Whether a URL leads back here. A daemon that listens on all addresses has more than are told;
/// loopback is always one of them.
fn is_own(url: &Url, http: &Http) -> bool {
    let told = own_origins(http);
    let mut told = told.iter().filter_map(|own| Url::parse(own).ok());
    if told.any(|own| own.origin() == url.origin()) {
        return true;
    }
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let mut ports = http.listen.iter().chain(&http.listen_tls);
    is_here && ports.any(|address| url.port_or_known_default() == Some(address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_recordings_are_known_by_their_urls() {
        let http = Http {
            public_url: Some("https://calls.example.com".into()),
            listen: vec!["0.0.0.0:8080".parse().unwrap()],
            ..Http::default()
        };
        let owner = TenantId(3);
        let task = Uuid::from_u128(7);
        let sid = CallSid::new("call_a1").unwrap();
        let own = "https://calls.example.com";
        for (url, expected) in [
            (
                format!("{own}/media/1f-abc?expires=1&kid=2"),
                Some((TenantId(0x1f), RecordingName::Recid(RecordingId(0xabc)))),
            ),
            (
                format!("{own}/api/v2/PlayAudioFile.php?tsid=x&recid=12&cdw_id=7"),
                Some((owner, RecordingName::Recid(RecordingId(12)))),
            ),
            (
                format!("http://127.0.0.1:8080/api/v1/sse/audio/{task}?api_key=x"),
                Some((owner, RecordingName::Task(task))),
            ),
            (
                format!("http://localhost:8080/api/calls/{sid}/recording/download"),
                Some((owner, RecordingName::CallSid(sid))),
            ),
            (format!("{own}/api/v2/PlayAudioFile.php?cdw_id=7"), None),
            (format!("{own}/a.mp3"), None),
            ("http://127.0.0.1:9090/media/1f-abc".to_owned(), None),
            ("https://other.example.com/media/1f-abc".to_owned(), None),
        ] {
            assert_eq!(recording_of(&url, &http, owner), expected, "{url}");
        }
    }
}
