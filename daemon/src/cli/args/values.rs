//! Values that several commands take: lengths of time, networks, points in time to come, sessions.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use uuid::Uuid;

use crate::control::parse_time;
use crate::control::wire::Expiry;

/// A length of time in seconds, such as `90s`, `15m`, `1h`, `30d` or `2w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub u64);

/// A text that is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a length of time is a number and a unit: 90s, 15m, 1h, 30d or 2w")]
pub struct BadSpan;

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        let unit = text.chars().next_back().ok_or(BadSpan)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 24 * 3_600,
            'w' => 7 * 24 * 3_600,
            _ => return Err(BadSpan),
        };
        let digits = &text[..text.len() - 1];
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadSpan);
        }
        let count: u64 = digits.parse().map_err(|_| BadSpan)?;
        count.checked_mul(seconds).map(Self).ok_or(BadSpan)
    }
}

/// A text that is neither a length of time nor a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "give a length of time (90s, 15m, 1h, 30d, 2w), a day (2027-01-31, its midnight in UTC) or an \
     RFC 3339 time"
)]
pub struct BadExpiry;

/// Reads when something stops.
pub(super) fn expiry(text: &str) -> Result<Expiry, BadExpiry> {
    if let Ok(Span(seconds)) = text.parse() {
        return Ok(Expiry::InS(seconds));
    }
    let time = parse_time(text).map(|_| Expiry::At(text.to_owned()));
    time.map_err(|_| BadExpiry)
}

/// A text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address such as 10.1.2.3 or 2001:db8::5, or a network such as 10.1.0.0/16")]
pub struct BadNetwork;

/// Reads a network; an address alone is a network of one.
pub(super) fn network(text: &str) -> Result<IpNet, BadNetwork> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| text.parse::<IpNet>());
    network
        .map(|network| network.trunc())
        .map_err(|_| BadNetwork)
}

/// A session by its UUID, or by the beginning of it as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionName {
    /// The whole UUID.
    Whole(Uuid),
    /// At least [`BEGINNING`] letters of it, in lower case.
    Beginning(String),
}

/// Letters that name a session at least.
pub const BEGINNING: usize = 4;

/// A text that is no session's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session is named by its UUID, or by at least {BEGINNING} letters that it begins with")]
pub struct BadSession;

impl FromStr for SessionName {
    type Err = BadSession;

    fn from_str(text: &str) -> Result<Self, BadSession> {
        if let Ok(uuid) = text.parse() {
            return Ok(Self::Whole(uuid));
        }
        let hex = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
        let fits = (BEGINNING..36).contains(&text.len()) && text.bytes().all(hex);
        fits.then(|| Self::Beginning(text.to_ascii_lowercase()))
            .ok_or(BadSession)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        let span = |text: &str| text.parse().map(|Span(seconds)| seconds);
        assert_eq!(span("0s"), Ok(0));
        assert_eq!(span("90s"), Ok(90));
        assert_eq!(span("1h"), Ok(3_600));
        assert_eq!(span("30d"), Ok(2_592_000));
        assert_eq!(span("2w"), Ok(1_209_600));
        for bad in [
            "",
            "s",
            "1",
            "+1s",
            "-1s",
            "1.5h",
            "1y",
            "1 h",
            "1é",
            "99999999999999999w",
        ] {
            assert_eq!(span(bad), Err(BadSpan), "{bad}");
        }
    }

    #[test]
    fn what_stops_stops_after_a_time_or_at_one() {
        assert_eq!(expiry("30d"), Ok(Expiry::InS(2_592_000)));
        assert_eq!(expiry("2027-01-31"), Ok(Expiry::At("2027-01-31".into())));
        assert_eq!(expiry("soon"), Err(BadExpiry));
    }

    #[test]
    fn networks_may_be_single_addresses() {
        let told = |text| network(text).map(|network| network.to_string());
        assert_eq!(told("10.1.2.3"), Ok("10.1.2.3/32".into()));
        assert_eq!(told("10.1.2.3/16"), Ok("10.1.0.0/16".into()));
        assert_eq!(told("2001:db8::5"), Ok("2001:db8::5/128".into()));
        for bad in ["", "10.1", "10.0.0.0/33", "host", "10.0.0.1:80"] {
            assert_eq!(told(bad), Err(BadNetwork), "{bad}");
        }
    }

    #[test]
    fn sessions_are_named_by_a_beginning_too() {
        let uuid = Uuid::from_u128(0x1f0c_2d3e << 96);
        assert_eq!(uuid.to_string().parse(), Ok(SessionName::Whole(uuid)));
        let beginning = |text: &str| Ok(SessionName::Beginning(text.into()));
        assert_eq!("1F0C2D3E".parse(), beginning("1f0c2d3e"));
        assert_eq!("1f0c2d3e-0000".parse(), beginning("1f0c2d3e-0000"));
        for bad in ["", "1f0", "front-desk", "1f0c2d3e_", "../1f0c2d3e"] {
            assert_eq!(bad.parse::<SessionName>(), Err(BadSession), "{bad}");
        }
    }
}
