//! Signed links: how they are written, signed and checked. What they open is `mod.rs`'s business.
//!
//! ```text
//!  /media/<tenant>-<recid>?expires=<s>&disposition=<inline|attachment>&kid=<n>&signature=<hex>
//!         └── hex ──────┘          decimal                            decimal   HMAC-SHA256
//! ```
//!
//! A link has exactly one spelling. What arrives is read strictly, written again, and must be the
//! same byte for byte; so whatever is missing, added, repeated, reordered or encoded differently is
//! refused, and everything that is honoured is signed (RFC 2104, with the key that `kid` names).

use std::fmt::Write as _;
use std::str::FromStr;

use ring::hmac;
use storage::account::SigningKey;
use storage::ids::{RecordingId, TenantId};
use storage::ledger::entry::Act;
use storage::record::WallMillis;

/// What a link's media answer is shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    /// To listen to, as it is stored.
    Inline,
    /// To keep, as WAV.
    Attachment,
}

impl Disposition {
    const fn text(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Attachment => "attachment",
        }
    }
}

/// What a link grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Whose recording.
    pub(super) tenant: TenantId,
    /// Which.
    pub(super) id: RecordingId,
    /// When it ends, in seconds since 1970.
    pub(super) expires_s: u64,
    /// What it is shown as.
    pub(super) disposition: Disposition,
}

/// Why a link opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LinkError {
    /// It is not one, or its signature is not right.
    #[error("the link was not made here, or was changed")]
    Forged,
    /// Its key was retired.
    #[error("the link's signing key was retired")]
    Retired,
    /// Its time is over.
    #[error("the link has expired")]
    Expired,
}

impl LinkError {
    /// The same as the ledger tells it.
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::Forged => "forged link",
            Self::Retired => "retired link",
            Self::Expired => "expired link",
        }
    }
}

/// A link that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// What it grants.
    pub(super) link: Link,
    /// The key that it was signed with.
    pub(super) kid: u32,
    /// The beginning of its signature, to count its requests by, and to tell it from others.
    pub(super) mark: u64,
}

impl Link {
    /// Path and query, signed with the newest key in force; `None` if there is none.
    pub(super) fn sign(&self, keys: &[SigningKey]) -> Option<String> {
        let key = keys.iter().rev().find(|key| key.retired_at.is_none())?;
        let tag = hmac::sign(&mac(key), self.canonical(key.id).as_bytes());
        Some(self.written(key.id, tag.as_ref()))
    }

    /// The link of a path segment and a query, if it is right at `now`. Whether its time is over is
    /// told only if its signature is right.
    ///
    /// # Errors
    /// [`LinkError`].
    pub(super) fn check(
        segment: &str,
        query: &str,
        keys: &[SigningKey],
        now: WallMillis,
    ) -> Result<Checked, LinkError> {
        let (link, kid, signature) = read(segment, query).ok_or(LinkError::Forged)?;
        if link.written(kid, &signature) != format!("{PATH}{segment}?{query}") {
            return Err(LinkError::Forged);
        }
        let key = keys.iter().find(|key| key.id == kid);
        let key = key.ok_or(LinkError::Forged)?;
        // ring compares in constant time.
        hmac::verify(&mac(key), link.canonical(kid).as_bytes(), &signature)
            .map_err(|_| LinkError::Forged)?;
        if key.retired_at.is_some() {
            return Err(LinkError::Retired);
        }
        let now_s = now.0 / 1_000;
        // One that ends later than any link made now was made by a clock that has been put right.
        let latest_s = now_s + crate::http::limits::RECORDING_LINK_LIFE.as_secs();
        if link.expires_s <= now_s || link.expires_s > latest_s {
            return Err(LinkError::Expired);
        }
        let (first, _) = signature.split_at(8);
        let mark = first
            .iter()
            .fold(0, |mark, byte| mark << 8 | u64::from(*byte));
        Ok(Checked { link, kid, mark })
    }

    /// What the ledger tells of a link that was made.
    pub(super) fn made(&self, act: Act, written: &str) -> Act {
        let signature = written.rsplit_once("&signature=");
        let mark = signature.and_then(|(_, signature)| signature.get(..MARK_DIGITS));
        act.on(self.tenant, self.id)
            .with("link", mark.unwrap_or_default())
            .with("until", self.expires_s.saturating_mul(1_000))
    }

    /// What is signed: one field a line, none of which can hold a line's end, under a name that
    /// changes with their meaning.
    fn canonical(&self, kid: u32) -> String {
        let disposition = self.disposition.text();
        format!(
            "callreel-link-1\n{}\n{}\n{disposition}\n{kid}\n",
            self.path(),
            self.expires_s
        )
    }

    fn path(&self) -> String {
        format!("{PATH}{:x}-{:x}", self.tenant.0, self.id.0)
    }

    fn written(&self, kid: u32, signature: &[u8]) -> String {
        let mut text = format!(
            "{}?expires={}&disposition={}&kid={kid}&signature=",
            self.path(),
            self.expires_s,
            self.disposition.text(),
        );
        for byte in signature {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

const PATH: &str = "/media/";
const TAG_BYTES: usize = 32;
/// Hex digits of [`Checked::mark`].
const MARK_DIGITS: usize = 16;

fn mac(key: &SigningKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &key.secret)
}

/// The fields of a link. Numbers may still be in another than their one spelling.
fn read(segment: &str, query: &str) -> Option<(Link, u32, [u8; TAG_BYTES])> {
    let (tenant, id) = segment.split_once('-')?;
    let mut fields = query.split('&');
    let mut field = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix('=');
    let link = Link {
        tenant: TenantId(u32::from_str_radix(tenant, 16).ok()?),
        id: RecordingId(u64::from_str_radix(id, 16).ok()?),
        expires_s: u64::from_str(field("expires")?).ok()?,
        disposition: match field("disposition")? {
            "inline" => Disposition::Inline,
            "attachment" => Disposition::Attachment,
            _ => return None,
        },
    };
    let kid = u32::from_str(field("kid")?).ok()?;
    let signature = field("signature")?;
    if signature.len() != 2 * TAG_BYTES || !signature.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; TAG_BYTES];
    for (at, byte) in bytes.iter_mut().enumerate() {
        let pair = signature.get(2 * at..2 * at + 2)?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some((link, kid, bytes))
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
