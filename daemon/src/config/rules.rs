//! What the values of a configuration must hold with respect to each other. Each value alone has
//! been checked by `layer.rs`.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::Path;

use audio_io::format::Channels;
use ipnet::IpNet;

use super::fault::{Fault, Place, Problem, Rule};
use super::layer::{Table, Tables};
use super::schema::{Access, Admin, Config, Http, Line, Speech};
use crate::material::credential;

mod groups;
mod keeping;
mod telephony;

/// alsa-lib's PCM that is no device: any number of lines may use it.
const NULL_PCM: &str = "null";

/// Networks that nothing is ever fetched from: unspecified, link-local (where clouds keep their
/// metadata), multicast and broadcast. The fetcher refuses their addresses, and single metadata
/// addresses that are not named here, within larger networks too.
const NEVER_FETCHED: [&str; 7] = [
    "0.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "fe80::/10",
    "ff00::/8",
];

/// Checks a whole configuration, whose main file is in `folder`. `tables` are those
/// that its arrays came from, in order.
pub(super) fn check(
    config: &Config,
    folder: &Path,
    places: &BTreeMap<String, Place>,
    tables: &Tables,
    problems: &mut Vec<Problem>,
) {
    let of = |name: &str| tables.get(name).map_or(&[][..], Vec::as_slice);
    let mut rules = Rules { places, problems };
    rules.http(&config.http);
    rules.certificate(config, folder);
    rules.access(&config.access);
    rules.allowed("fetch.allow", &config.fetch.allow);
    rules.allowed("webhooks.allow", &config.webhooks.allow);
    rules.admin(&config.admin);
    rules.speech(&config.speech);
    rules.keeping(config, of("retention.policy"));
    rules.groups(config, of("group"));
    let mut names = HashMap::new();
    let mut captures = HashMap::new();
    let mut playbacks = HashMap::new();
    let mut taken = rules.taken_by_http(&config.http);
    for (line, table) in config.lines.iter().zip(of("line")) {
        rules.source(line, table, &mut taken);
        rules.line(line, table, config.realtime.ring_ms);
        let place = table.place_of("name");
        let taken = line.expand().into_iter().find_map(|line| {
            let other = names.insert(line.name.clone(), place.clone())?;
            Some((line.name, other))
        });
        if let Some((name, other)) = taken {
            let name = name.to_string();
            rules.blame(place, "line.name", Rule::LineTwice { name, other });
        }
        rules.pcm(&mut captures, "capture", line.capture.as_ref(), table);
        rules.pcm(
            &mut captures,
            "capture_agent",
            line.capture_agent.as_ref(),
            table,
        );
        rules.pcm(&mut playbacks, "playback", line.playback.as_ref(), table);
    }
}

struct Rules<'a> {
    places: &'a BTreeMap<String, Place>,
    problems: &'a mut Vec<Problem>,
}

impl Rules<'_> {
    fn blame(&mut self, place: Place, key: &str, rule: Rule) {
        self.problems.push(Problem {
            place,
            key: key.into(),
            fault: Fault::Rule(rule),
        });
    }

    fn place_of(&self, key: &str) -> Place {
        self.places.get(key).cloned().unwrap_or(Place::Default)
    }

    fn http(&mut self, http: &Http) {
        let files = [
            ("http.tls.certificate", &http.tls.certificate),
            ("http.tls.key", &http.tls.key),
        ];
        for (at, (key, path)) in files.into_iter().enumerate() {
            let other = files[1 - at];
            match (path, other.1) {
                (Some(path), _) => self.file(key, path),
                (None, Some(_)) => self.blame(self.place_of(other.0), key, Rule::TlsHalf),
                (None, None) => {}
            }
        }
        let mut seen: Vec<SocketAddr> = Vec::new();
        let plain = http.listen.iter().map(|address| ("http.listen", address));
        let secure = http
            .listen_tls
            .iter()
            .map(|address| ("http.listen_tls", address));
        for (key, address) in plain.chain(secure) {
            // Port 0 asks the kernel for a free port, another one each time.
            if address.port() != 0 && seen.contains(address) {
                self.blame(
                    self.place_of(key),
                    key,
                    Rule::AddressTwice { address: *address },
                );
            }
            seen.push(*address);
        }
        if http.allowed_origins.len() > 1 && http.allowed_origins.iter().any(|o| o == "*") {
            let key = "http.allowed_origins";
            self.blame(self.place_of(key), key, Rule::StarAndOthers);
        }
    }

    /// HTTPS needs a certificate from somewhere. Credentials are given to the service, so that
    /// others see at most the folder they come from, or that they may not look into it.
    fn certificate(&mut self, config: &Config, folder: &Path) {
        let http = &config.http;
        let named = http.tls.certificate.is_some() || http.tls.key.is_some();
        let wanted = !http.listen_tls.is_empty();
        if wanted && !named && !config.first_start.certificate && !credential::may_be(folder) {
            let key = "http.listen_tls";
            self.blame(self.place_of(key), key, Rule::TlsMissing);
        }
    }

    fn access(&mut self, access: &Access) {
        let (idle, absolute) = (access.session_idle_s, access.session_absolute_s);
        if idle > absolute {
            let key = self.given("access.session_idle_s", "access.session_absolute_s");
            let rule = Rule::IdleAboveAbsolute { idle, absolute };
            self.blame(self.place_of(key), "access.session_idle_s", rule);
        }
    }

    fn allowed(&mut self, key: &str, allow: &[IpNet]) {
        for network in allow {
            let inside = |never: &str| {
                let never = never.parse::<IpNet>();
                never.is_ok_and(|never| never.contains(network))
            };
            if NEVER_FETCHED.into_iter().any(inside) {
                let rule = Rule::NeverFetched { network: *network };
                self.blame(self.place_of(key), key, rule);
            }
        }
    }

    fn admin(&mut self, admin: &Admin) {
        if let Some(path) = &admin.key_file {
            self.file("admin.key_file", path);
        }
    }

    fn speech(&mut self, speech: &Speech) {
        if speech.command.is_empty() && speech.url.is_none() {
            let key = "speech.command";
            self.blame(self.place_of(key), key, Rule::NoSpeech);
        }
    }

    /// The first of two keys, unless only the second was given.
    fn given(&self, first: &'static str, second: &'static str) -> &'static str {
        if !self.places.contains_key(first) && self.places.contains_key(second) {
            second
        } else {
            first
        }
    }

    /// A file that is not there. One that this user may not look at is not judged: the daemon
    /// may run as another.
    fn file(&mut self, key: &str, path: &Path) {
        let absent = std::fs::metadata(path)
            .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        if absent {
            self.blame(self.place_of(key), key, Rule::NoSuchFile(path.to_owned()));
        }
    }

    fn line(&mut self, line: &Line, table: &Table, ring_ms: u64) {
        let (period, buffer) = (line.period_ms.0, line.buffer_ms.0);
        if line.channels == Channels::Stereo && line.capture_agent.is_some() {
            self.blame(
                table.place_of("capture_agent"),
                "line.capture_agent",
                Rule::StereoAndAgent,
            );
        }
        if line.playback.is_some() {
            let rule = Rule::PlaybackAndTwoLegs;
            if line.capture_agent.is_some() {
                let place = table.place_of("capture_agent");
                self.blame(place, "line.capture_agent", rule);
            } else if line.channels == Channels::Stereo {
                self.blame(table.place_of("channels"), "line.channels", rule);
            }
        }
        if line.notice_tone == Some(true) && !line.plays() {
            let place = table.place_of("notice_tone");
            self.blame(place, "line.notice_tone", Rule::NoticeWithoutPlayback);
        }
        if period >= buffer {
            let rule = Rule::PeriodNotBelowBuffer { period, buffer };
            self.blame(table.place_of("period_ms"), "line.period_ms", rule);
        }
        if buffer > ring_ms {
            let rule = Rule::BufferAboveRing {
                buffer,
                ring: ring_ms,
            };
            self.blame(table.place_of("buffer_ms"), "line.buffer_ms", rule);
        }
        if line.vox.stop_dbfs > line.vox.start_dbfs {
            let (stop, start) = (line.vox.stop_dbfs, line.vox.start_dbfs);
            let key = if table.places.contains_key("vox.stop_dbfs") {
                "vox.stop_dbfs"
            } else {
                "vox.start_dbfs"
            };
            let rule = Rule::StopAboveStart { stop, start };
            self.blame(table.place_of(key), "line.vox.stop_dbfs", rule);
        }
        if line.min_length_ms.0 >= line.max_length_s.saturating_mul(1_000) {
            let rule = Rule::MinNotBelowMax {
                min: line.min_length_ms.0,
                max: line.max_length_s,
            };
            self.blame(table.place_of("min_length_ms"), "line.min_length_ms", rule);
        }
    }

    fn pcm(
        &mut self,
        used: &mut HashMap<String, Place>,
        key: &str,
        pcm: Option<&String>,
        table: &Table,
    ) {
        let Some(pcm) = pcm.filter(|pcm| *pcm != NULL_PCM) else {
            return;
        };
        let place = table.place_of(key);
        if let Some(other) = used.insert(pcm.clone(), place.clone()) {
            let rule = Rule::PcmTwice {
                pcm: pcm.clone(),
                other,
            };
            self.blame(place, &format!("line.{key}"), rule);
        }
    }
}
