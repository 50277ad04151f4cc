//! Sessions of Callreel's own page: a cookie that scripts of the page cannot read, or the same
//! token as a bearer token for programs.
//!
//! Against requests that another site makes a browser send there are three lines: the cookie is
//! `SameSite=Strict`; whatever changes something must come from this very origin, where the browser
//! says from where it comes; and it must carry a token in a header, which is a hash of the
//! session's own and which only the page was told. A bearer token is never sent by a browser on its
//! own, and needs none of it.

use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use http::uri::{Authority, Uri};
use http::{Method, StatusCode};
use storage::account::{SessionRow, UserRow};
use subtle::ConstantTimeEq as _;

use super::Principal;
use crate::http::base_url;
use crate::http::error::Problem;
use crate::http::limits;
use crate::http::service::Call;
use crate::http::site::Site;

/// Who asks, and by which session.
pub(in crate::http) struct Person {
    /// The user as it is now.
    pub(in crate::http) user: UserRow,
    /// The session.
    pub(in crate::http) session: SessionRow,
    /// The session's token.
    pub(in crate::http) token: String,
    /// Whether it was shown as a cookie.
    by_cookie: bool,
}

impl Person {
    /// The same as the rest of the daemon knows it.
    pub(in crate::http) fn principal(&self) -> Principal {
        Principal {
            tenant: self.user.tenant,
            key_id: 0,
            user_id: Some(self.user.user_id),
            role: self.user.role,
        }
    }
}

/// Lets a session in.
///
/// # Errors
/// 401: `unauthorized` where none is shown, `session_expired` where it is none any more.
pub(in crate::http) fn admit(call: &Call<'_>) -> Result<Person, Problem> {
    let (token, by_cookie) = match bearer(&call.parts.headers) {
        Some(token) => (token, false),
        None => match cookie(&call.parts.headers, cookie_name(call)) {
            Some(token) => (token, true),
            None => return Err(unauthorized("Sign in first.")),
        },
    };
    let site = &call.worker.site;
    let (user, session) = in_force(site, &token, call.connection.peer.ip()).ok_or_else(|| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "session_expired",
            "The session has ended; sign in again.",
        )
    })?;
    Ok(Person {
        user,
        session,
        token,
        by_cookie,
    })
}

/// Whoever has just been given a session.
pub(in crate::http) fn person(call: &Call<'_>, token: String) -> Option<Person> {
    let (user, session) = in_force(&call.worker.site, &token, call.connection.peer.ip())?;
    Some(Person {
        user,
        session,
        token,
        by_cookie: true,
    })
}

/// The session of a token and its user, if both are in force; that counts as use.
pub(in crate::http) fn in_force(
    site: &Site,
    token: &str,
    peer: std::net::IpAddr,
) -> Option<(UserRow, SessionRow)> {
    let within = site.config.load().access.session_limits();
    let session = has_form(token).then(|| site.storage.use_session(token, peer, within))??;
    let user = site.storage.user(session.user_id)?;
    Some((user, session))
}

/// 401 for whoever shows no session.
pub(in crate::http) fn unauthorized(message: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
}

/// Refuses what another site may have made a browser send.
///
/// # Errors
/// 403.
pub(in crate::http) fn check_forgery(call: &Call<'_>, person: &Person) -> Result<(), Problem> {
    if !person.by_cookie || is_safe(&call.parts.method) {
        return Ok(());
    }
    check_origin(call)?;
    let mut shown = call.parts.headers.get_all(CSRF_HEADER).iter();
    let (Some(shown), None) = (shown.next(), shown.next()) else {
        return Err(forged("Send the header X-Callreel-CSRF, once."));
    };
    let expected = csrf(&person.token);
    // Equal lengths are compared in constant time; a wrong length is no secret.
    if bool::from(shown.as_bytes().ct_eq(expected.as_bytes())) {
        Ok(())
    } else {
        Err(forged(
            "X-Callreel-CSRF is not this session's; load the page again.",
        ))
    }
}

/// Whether a method changes nothing.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Refuses what says that it comes from elsewhere. Programs that are no browsers say nothing.
///
/// # Errors
/// 403.
pub(in crate::http) fn check_origin(call: &Call<'_>) -> Result<(), Problem> {
    let headers = &call.parts.headers;
    let elsewhere = || Err(forged("The request comes from another site."));
    let mut sites = headers.get_all(FETCH_SITE).iter();
    if sites.any(|site| site != "same-origin" && site != "none") {
        return elsewhere();
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    let origin = match (origins.next(), origins.next()) {
        (None, _) => return Ok(()),
        (Some(origin), None) => origin.to_str().unwrap_or_default(),
        (Some(_), Some(_)) => return elsewhere(),
    };
    if is_own(call, origin) {
        Ok(())
    } else {
        elsewhere()
    }
}

/// Whether an origin is where this daemon is reached.
fn is_own(call: &Call<'_>, origin: &str) -> bool {
    let config = call.worker.site.config.load();
    let is_public = config.http.public_url.as_deref().and_then(place);
    let Some(theirs) = place(origin) else {
        return false;
    };
    if is_public.is_some_and(|public| public == theirs) {
        return true;
    }
    // A proxy in front may speak HTTPS to the browser and HTTP to us, never the other way round.
    let (scheme, host, port) = theirs;
    if call.connection.secure && scheme != "https" {
        return false;
    }
    let Some(ours) = base_url::authority(call.parts) else {
        return false;
    };
    let standard = standard_port(&scheme);
    host.eq_ignore_ascii_case(ours.host()) && port == ours.port_u16().unwrap_or(standard)
}

/// Scheme, host and port of an origin or a URL.
fn place(text: &str) -> Option<(String, String, u16)> {
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let authority: &Authority = uri.authority()?;
    let host = authority.host().to_ascii_lowercase();
    let port = authority.port_u16().unwrap_or(standard_port(&scheme));
    Some((scheme, host, port))
}

fn standard_port(scheme: &str) -> u16 {
    if scheme == "https" { 443 } else { 80 }
}

fn forged(message: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "csrf", message)
}

/// What a session's requests must carry: a hash of its token, from which nobody finds the token.
pub(in crate::http) fn csrf(token: &str) -> String {
    let key = blake3::derive_key(CSRF_CONTEXT, token.as_bytes());
    blake3::Hash::from_bytes(key).to_hex().to_string()
}

/// The cookie that gives a session to the browser.
pub(in crate::http) fn give(call: &Call<'_>, token: &str) -> Option<HeaderValue> {
    set(call, token, "")
}

/// The cookie that takes it away.
pub(in crate::http) fn take(call: &Call<'_>) -> Option<HeaderValue> {
    set(call, "", "; Max-Age=0")
}

/// It ends with the browser: when the session ends is the store's business.
fn set(call: &Call<'_>, value: &str, more: &str) -> Option<HeaderValue> {
    let secure = if is_secure(call) { "; Secure" } else { "" };
    let name = cookie_name(call);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
    HeaderValue::from_str(&text).ok()
}

/// With `__Host-` no other site and no plain HTTP can have set it (RFC 6265bis section 4.1.3.2).
fn cookie_name(call: &Call<'_>) -> &'static str {
    if is_secure(call) {
        SECURE_COOKIE
    } else {
        PLAIN_COOKIE
    }
}

/// Whether the browser's own connection is encrypted: to us, or to a proxy. A proxy is believed on
/// this machine, or where the configuration names the URL that it serves.
fn is_secure(call: &Call<'_>) -> bool {
    if call.connection.secure {
        return true;
    }
    let by_proxy = call.connection.peer.ip().to_canonical().is_loopback()
        && call
            .parts
            .headers
            .get(FORWARDED_PROTO)
            .is_some_and(|proto| proto == "https");
    let config = call.worker.site.config.load();
    let public = config.http.public_url.as_deref().and_then(place);
    let is_public = |(scheme, host, port): (String, String, u16)| {
        let asked = base_url::authority(call.parts);
        scheme == "https"
            && asked.is_some_and(|asked| {
                asked.host().eq_ignore_ascii_case(&host) && asked.port_u16().unwrap_or(443) == port
            })
    };
    by_proxy || public.is_some_and(is_public)
}

/// The only bearer token; none where there is another scheme, or more than one header.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim().to_owned())
}

/// A cookie's value; none where two of that name were sent, of which one cannot be ours.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let pairs = headers.get_all(COOKIE).iter();
    let pairs = pairs.filter_map(|value| value.to_str().ok());
    let mut values = pairs.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name).then(|| value.to_owned())
    });
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// What a token can look like: so that no nonsense is hashed.
fn has_form(token: &str) -> bool {
    (1..=limits::SESSION_TOKEN_BYTES).contains(&token.len())
        && token.contains("-ses-")
        && token.bytes().all(|byte| byte.is_ascii_graphic())
}

const SECURE_COOKIE: &str = "__Host-callreel";
const PLAIN_COOKIE: &str = "callreel";
const CSRF_CONTEXT: &str =
    "callreel 2026-11-30 token of the page's session against forged requests";
const CSRF_HEADER: HeaderName = HeaderName::from_static("x-callreel-csrf");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_cookie_is_the_only_one_of_its_name() {
        let of = |lines: &[&'static str]| {
            let pairs: Vec<_> = lines.iter().map(|line| (COOKIE, *line)).collect();
            cookie(&headers(&pairs), "callreel")
        };
        assert_eq!(of(&["a=b; callreel=x; c=d"]).as_deref(), Some("x"));
        assert_eq!(of(&["a=b", "callreel=x=y"]).as_deref(), Some("x=y"));
        assert_eq!(of(&["callreel=x; callreel=y"]), None);
        assert_eq!(of(&["callreel=x", "callreel=x"]), None);
        assert_eq!(of(&["callreels=x; xcallreel=y; Callreel=z"]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn bearer_tokens_are_read_once() {
        let of = |lines: &[&'static str]| {
            let pairs: Vec<_> = lines.iter().map(|line| (AUTHORIZATION, *line)).collect();
            bearer(&headers(&pairs))
        };
        assert_eq!(of(&["bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(of(&["Basic abc"]), None);
        assert_eq!(of(&["Bearer a", "Bearer b"]), None);
    }

    #[test]
    fn origins_are_compared_with_their_ports() {
        let is = |one: &str, other: &str| place(one).is_some() && place(one) == place(other);
        assert!(is("https://a.example", "https://A.example:443"));
        assert!(is("http://a.example/", "http://a.example:80/page"));
        assert!(!is("https://a.example", "http://a.example"));
        assert!(!is("https://a.example:8443", "https://a.example"));
        assert_eq!(place("null"), None);
    }

    #[test]
    fn the_token_against_forgery_is_the_sessions_and_not_its_token() {
        let one = csrf("x-ses-anna-1");
        assert_eq!(one, csrf("x-ses-anna-1"));
        assert_ne!(one, csrf("x-ses-anna-2"));
        assert!(one.len() == 64 && !one.contains("anna"));
    }
}
