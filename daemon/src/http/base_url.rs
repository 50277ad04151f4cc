//! Where clients reach this daemon, for absolute URLs in answers: `[http].public_url`, or what the
//! request itself says. `Forwarded` headers are not believed, since anybody can send them: behind a
//! proxy `public_url` is to be set.

use http::StatusCode;
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;

use super::error::Problem;
use super::service::Call;

/// The scheme, host and port that absolute URLs of this answer begin with, without a slash at the
/// end.
///
/// # Errors
/// 400 where nothing is configured and the request names no host that could be one.
pub(super) fn of(call: &Call<'_>) -> Result<String, Problem> {
    if let Some(url) = &call.worker.site.config.load().http.public_url {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let scheme = if call.connection.secure {
        "https"
    } else {
        "http"
    };
    match authority(call.parts) {
        Some(authority) => Ok(format!("{scheme}://{authority}")),
        None => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_host",
            "The URL in the answer needs a host: send one Host header with a name or address \
             and, where it is not the default, a port.",
        )),
    }
}

/// The request's `:authority` or absolute target, else its only `Host` (RFC 9112 section 3.2.2).
pub(super) fn authority(parts: &Parts) -> Option<Authority> {
    let authority = match parts.uri.authority() {
        Some(authority) => authority.clone(),
        None => {
            let mut values = parts.headers.get_all(HOST).iter();
            match (values.next(), values.next()) {
                (Some(host), None) => host.to_str().ok()?.parse().ok()?,
                _ => return None,
            }
        }
    };
    is_plain(&authority).then_some(authority)
}

/// Whether it is a name or an address with at most a port: no user, nothing percent-encoded.
fn is_plain(authority: &Authority) -> bool {
    let text = authority.as_str();
    let host = authority.host();
    let named = match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !host.is_empty() && host.bytes().all(allowed)
        }
    };
    let port = text.strip_prefix(host).is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix(':').is_some_and(|port| {
                port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
            })
    });
    named && port && host.len() <= HOST_BYTES
}

/// Longest name of a host (RFC 1035 section 2.3.4).
const HOST_BYTES: usize = 255;

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(uri: &str, hosts: &[&str]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_hosts_become_part_of_urls() {
        for good in [
            "a.example",
            "a.example:8443",
            "192.0.2.1:80",
            "[2001:db8::1]",
            "[::1]:8080",
            "under_score",
        ] {
            let found = authority(&parts("/x", &[good]));
            assert_eq!(found.as_ref().map(Authority::as_str), Some(good));
        }
        let long = "a".repeat(256);
        for bad in [
            "",
            " ",
            "a b",
            "user@a.example",
            "a.example/x",
            "a.example?x",
            "a.example#x",
            "a.example:",
            "a.example:x",
            "a.example:99999",
            "a.example:+80",
            "a%2eexample",
            "[::1",
            "[v1.x]",
            "a\"b",
            "a\\b",
            ":80",
            &long,
        ] {
            assert_eq!(authority(&parts("/x", &[bad])), None, "{bad:?}");
        }
        assert_eq!(authority(&parts("/x", &[])), None);
        assert_eq!(authority(&parts("/x", &["a", "a"])), None);
    }

    #[test]
    fn the_targets_own_authority_goes_first() {
        let found = authority(&parts("http://b.example:81/x", &["a.example"]));
        assert_eq!(found.as_ref().map(Authority::as_str), Some("b.example:81"));
    }
}
