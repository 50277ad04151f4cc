//! URLs, read strictly: what is not plainly an absolute http or https URL is none.

use http::HeaderValue;
use url::{Host, Position, Url};

use super::FetchError;
use crate::engine::limits;

/// Where a fetch goes.
#[derive(Clone, Debug)]
pub(super) struct Target {
    url: Url,
}

impl Target {
    /// Reads a URL. Spaces, control characters and backslashes, which URL parsers are known to
    /// disagree about, make it none.
    ///
    /// # Errors
    /// [`FetchError::Url`].
    pub(super) fn parse(text: &str) -> Result<Self, FetchError> {
        let is_plain = text
            .chars()
            .all(|c| !c.is_control() && !c.is_whitespace() && c != '\\');
        let begins = |scheme: &str| {
            let split = text.split_at_checked(scheme.len());
            split.is_some_and(|(start, rest)| {
                start.eq_ignore_ascii_case(scheme) && !rest.starts_with('/')
            })
        };
        if text.len() > limits::FETCH_URL_BYTES
            || !is_plain
            || !(begins("http://") || begins("https://"))
        {
            return Err(FetchError::Url);
        }
        Self::checked(Url::parse(text).map_err(|_| FetchError::Url)?)
    }

    /// Where a `Location` leads from here.
    ///
    /// # Errors
    /// [`FetchError::Url`]; [`FetchError::Downgrade`] from https to http.
    pub(super) fn redirected(&self, location: &str) -> Result<Self, FetchError> {
        if location.len() > limits::FETCH_URL_BYTES {
            return Err(FetchError::Url);
        }
        let next = self.url.join(location).map_err(|_| FetchError::Url)?;
        let next = Self::parse(next.as_str())?;
        if self.is_https() && !next.is_https() {
            return Err(FetchError::Downgrade);
        }
        Ok(next)
    }

    fn checked(url: Url) -> Result<Self, FetchError> {
        let is_http = matches!(url.scheme(), "http" | "https");
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        let has_host = url.host_str().is_some_and(|host| !host.is_empty());
        if is_http && is_anonymous && has_host && url.port_or_known_default() != Some(0) {
            Ok(Self { url })
        } else {
            Err(FetchError::Url)
        }
    }

    /// The host; numbers in any notation are addresses already.
    ///
    /// # Errors
    /// Never, for a target that exists.
    pub(super) fn host(&self) -> Result<Host<&str>, FetchError> {
        self.url.host().ok_or(FetchError::Url)
    }

    /// The port, 1 to 65535.
    pub(super) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// Whether the connection is encrypted.
    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// `Host`.
    ///
    /// # Errors
    /// Never, for a target that exists.
    pub(super) fn host_header(&self) -> Result<HeaderValue, FetchError> {
        let text = &self.url[Position::BeforeHost..Position::AfterPort];
        HeaderValue::from_str(text).map_err(|_| FetchError::Url)
    }

    /// Path and query, as they are asked for.
    pub(super) fn path(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn only_plain_absolute_urls_are_taken() {
        for bad in [
            "",
            "/a.mp3",
            "a.mp3",
            "//host/a",
            "http:",
            "http://",
            "http:///a",
            "http:host/a",
            "ftp://host/a",
            "file:///etc/passwd",
            "gopher://host/",
            "data:audio/wav;base64,AA",
            "javascript:alert(1)",
            "http://user@host/",
            "http://user:word@host/",
            "http://:word@host/",
            "http://host:0/",
            "http://host:65536/",
            "http://ho st/",
            "http://host/a b",
            "http://host/\r\nX: y",
            "http://host\\@other/",
            "http:\\\\host\\",
            "\thttp://host/",
            "ht\ntp://host/",
            "http://[::1/",
            "http://[::1%25eth0]/",
            "http://1.2.3.4.5/",
            "http://0x100000000/",
            "http://a%00b/",
        ] {
            assert!(
                matches!(Target::parse(bad), Err(FetchError::Url)),
                "{bad:?}"
            );
        }
        let long = format!("http://host/{}", "a".repeat(limits::FETCH_URL_BYTES));
        assert!(Target::parse(&long).is_err());
    }

    #[test]
    fn numbers_in_any_notation_are_addresses() {
        for text in [
            "http://127.0.0.1/",
            "http://0177.0.0.1/",
            "http://0x7f.0.0.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://017700000001/",
            "http://127.1/",
            "http://127.0.1/",
            "http://127.0.0.1./",
            "http://%31%32%37.0.0.1/",
            "http://１２７.0.0.1/",
            "http://127。0。0。1/",
            "hTTp://127.0.0.1:80/",
        ] {
            let target = Target::parse(text).unwrap();
            let host = target.host().unwrap();
            assert_eq!(host, Host::<&str>::Ipv4(Ipv4Addr::LOCALHOST), "{text}");
        }
        let mapped = Target::parse("http://[::ffff:127.0.0.1]:8080/a?b=c#d").unwrap();
        let expected = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        assert_eq!(mapped.host().unwrap(), Host::<&str>::Ipv6(expected));
        assert_eq!(mapped.port(), 8080);
        assert_eq!(mapped.path(), "/a?b=c");
        assert_eq!(mapped.host_header().unwrap(), "[::ffff:7f00:1]:8080");
        let six = Target::parse("http://[0:0:0:0:0:0:0:1]/").unwrap();
        assert_eq!(six.host().unwrap(), Host::<&str>::Ipv6(Ipv6Addr::LOCALHOST));
    }

    #[test]
    fn redirects_lead_on_but_not_out_of_encryption() {
        let from = Target::parse("https://a.example:8443/b/c?d").unwrap();
        let relative = from.redirected("../e.mp3").unwrap();
        assert_eq!(relative.path(), "/e.mp3");
        assert_eq!(relative.host_header().unwrap(), "a.example:8443");
        assert!(from.redirected("https://b.example/").is_ok());
        let down = from.redirected("http://a.example/");
        assert!(matches!(down, Err(FetchError::Downgrade)));
        for bad in ["file:///etc/passwd", "https://u@b.example/", "https://"] {
            assert!(
                matches!(from.redirected(bad), Err(FetchError::Url)),
                "{bad}"
            );
        }
        let plain = Target::parse("http://a.example/").unwrap();
        assert!(plain.redirected("https://a.example/").unwrap().is_https());
    }
}
