//! What a certificate says: its dates, its names, its fingerprint. Of the crates that read X.509,
//! x509-parser is the one that rcgen, the maker of ours, uses as well.

use std::net::IpAddr;

use audio_io::units::WallMillis;
use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Its first moment.
    pub not_before: WallMillis,
    /// Its last.
    pub not_after: WallMillis,
    /// Host names it is for.
    pub names: Vec<String>,
    /// Addresses it is for.
    pub addresses: Vec<IpAddr>,
    /// Who it is about, as the certificate has it.
    pub subject: String,
    /// Whether it is its own issuer.
    pub self_signed: bool,
    /// SHA-256 of it, `AB:CD:…`.
    pub fingerprint: String,
}

/// Bytes that are no certificate.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotX509(String);

impl Inspection {
    /// Reads a certificate.
    ///
    /// # Errors
    /// [`NotX509`].
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, NotX509> {
        let (_, parsed) =
            X509Certificate::from_der(certificate).map_err(|error| NotX509(error.to_string()))?;
        let (mut names, mut addresses) = (Vec::new(), Vec::new());
        let alternatives = parsed.subject_alternative_name().ok().flatten();
        for name in alternatives
            .iter()
            .flat_map(|found| &found.value.general_names)
        {
            match name {
                GeneralName::DNSName(name) => names.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
                _ => {}
            }
        }
        Ok(Self {
            not_before: wall(parsed.validity().not_before.to_datetime()),
            not_after: wall(parsed.validity().not_after.to_datetime()),
            names,
            addresses,
            subject: parsed.subject().to_string(),
            self_signed: parsed.subject() == parsed.issuer(),
            fingerprint: fingerprint(certificate),
        })
    }

    /// Whether it is for this host name or address (RFC 6125: `*` stands for one label).
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        let tail = host.split_once('.').map(|(_, tail)| tail);
        self.names.iter().any(|name| {
            let wild = name.strip_prefix("*.");
            name.eq_ignore_ascii_case(host)
                || wild.is_some_and(|wild| tail.is_some_and(|tail| wild.eq_ignore_ascii_case(tail)))
        })
    }

    /// Names and addresses in one line.
    #[must_use]
    pub fn described(&self) -> String {
        let addresses = self.addresses.iter().map(ToString::to_string);
        let all: Vec<_> = self.names.iter().cloned().chain(addresses).collect();
        if all.is_empty() {
            return "no name".to_owned();
        }
        all.join(", ")
    }
}

/// A day in UTC, `2036-11-28`.
#[must_use]
pub fn day(moment: WallMillis) -> String {
    let seconds = i64::try_from(moment.0 / 1_000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).map_or_else(
        |_| "a day out of range".to_owned(),
        |at| at.date().to_string(),
    )
}

fn wall(at: OffsetDateTime) -> WallMillis {
    let milliseconds = at.unix_timestamp().max(0).saturating_mul(1_000);
    WallMillis(u64::try_from(milliseconds).unwrap_or(0))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(four.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

fn fingerprint(certificate: &[u8]) -> String {
    let hash = digest(&SHA256, certificate);
    let bytes: Vec<_> = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    bytes.join(":")
}
