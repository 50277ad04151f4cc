//! The token of family `play_audio_file` (API.md section 1), wherever the family found it, and
//! the family's words for what is wrong with it and with logins.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use storage::account::{KeyCheck, Lock, LockCause, Role};
use storage::record::{Family, WallMillis};

use super::{ADDRESS, INACTIVE, Principal, UNKNOWN_KEY};
use crate::http::error::Problem;
use crate::http::service::Call;
use crate::http::site::Site;
use crate::http::trail::refusals::{Refusal, count_failure, tell};

/// Admits a token of seed 000, found by the family in query, body or header. An address that is
/// locked is refused with the right token too.
///
/// # Errors
/// Codes 100 to 199 of API.md section 1, as 401.
pub(in crate::http) fn admit(call: &Call<'_>, token: Option<&str>) -> Result<Principal, Problem> {
    let (site, peer) = (&call.worker.site, call.connection.peer.ip());
    let refusal = |why| Refusal::new(call.parts, peer, call.policy.group, why);
    if let Some(lock) = site.storage.locked(peer, None) {
        // Who goes on guessing while locked gets closer to being blocked; the right token does not.
        let is_guess = |token: &str| {
            !has_form(token)
                || site.storage.check_key(Family::PlayAudioFile, token, peer) == KeyCheck::Unknown
        };
        let locked_out = refusal(UNKNOWN_KEY).locked(&lock, None);
        if lock.cause == LockCause::AddressTries && token.is_some_and(is_guess) {
            count(site, &locked_out);
        } else if token.is_some() {
            tell(site, &locked_out);
        }
        return Err(locked(&lock, site.clock.wall()));
    }
    let Some(token) = token else {
        return Err(refused(Code::Failed));
    };
    if !has_form(token) {
        count(site, &refusal(UNKNOWN_KEY));
        return Err(refused(Code::Failed));
    }
    match site.storage.check_key(Family::PlayAudioFile, token, peer) {
        KeyCheck::Valid(row) => {
            let role = match row.user_id {
                None => Some(Role::Supervisor),
                Some(user) => site.storage.user(user).map(|user| user.role),
            };
            // A key dies with its user; between the two look-ups it may just have.
            let role = role.ok_or_else(|| refused(Code::Unknown))?;
            Ok(Principal {
                tenant: row.tenant,
                key_id: row.key_id,
                user_id: row.user_id,
                role,
            })
        }
        KeyCheck::Unknown => {
            count(site, &refusal(UNKNOWN_KEY));
            Err(refused(Code::Unknown))
        }
        KeyCheck::Inactive => {
            tell(site, &refusal(INACTIVE));
            Err(refused(Code::Inactive))
        }
        KeyCheck::Address => {
            tell(site, &refusal(ADDRESS));
            Err(refused(Code::Address))
        }
    }
}

/// The codes of authentication (API.md section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Code {
    /// 100
    Failed,
    /// 102
    Unknown,
    /// 110
    Inactive,
    /// 123
    Permission,
    /// 130
    Missing,
    /// 140
    Wrong,
    /// 142
    Address,
}

/// A refusal in the vendor's words.
pub(in crate::http) fn refused(code: Code) -> Problem {
    let (number, text) = match code {
        Code::Failed => ("100", "Authentication failed"),
        Code::Unknown => ("102", "SID not found"),
        Code::Inactive => ("110", "Account inactive"),
        Code::Permission => ("123", "Permission denied"),
        Code::Missing => ("130", "User/password missing"),
        Code::Wrong => ("140", "Invalid user/password"),
        Code::Address => ("142", "IP not allowed"),
    };
    let scheme = match code {
        Code::Missing | Code::Wrong => "Basic realm=\"callreel\", charset=\"UTF-8\"",
        _ => "Bearer realm=\"callreel\"",
    };
    unauthorized(number, text, scheme)
}

/// A lock-out in the vendor's words, with the time until it ends by itself.
pub(in crate::http) fn locked(lock: &Lock, now: WallMillis) -> Problem {
    let (number, text) = match lock.cause {
        LockCause::AddressTries => ("131", "Too many tries from this IP"),
        LockCause::UserTries => ("132", "Too many tries for this user"),
        LockCause::AddressBlocked => ("199", "IP blocked"),
    };
    let wait = Duration::from_millis(lock.until.0.saturating_sub(now.0));
    unauthorized(number, text, "Bearer realm=\"callreel\"").retry_after(wait)
}

fn unauthorized(code: &'static str, text: &'static str, scheme: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, text)
        .header(WWW_AUTHENTICATE, HeaderValue::from_static(scheme))
}

fn count(site: &Site, refusal: &Refusal) {
    site.metrics.auth_failures.fetch_add(1, Ordering::Relaxed);
    tell(site, refusal);
    count_failure(site, refusal, None);
}

/// 10 to 64 characters (API.md section 1).
fn has_form(token: &str) -> bool {
    (TOKEN_CHARS.0..=TOKEN_CHARS.1).contains(&token.chars().take(TOKEN_CHARS.1 + 1).count())
}

const TOKEN_CHARS: (usize, usize) = (10, 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_a_length() {
        for (token, good) in [
            ("", false),
            ("123456789", false),
            ("1234567890", true),
            ("é234567890", true),
        ] {
            assert_eq!(has_form(token), good, "{token}");
        }
        assert!(has_form(&"x".repeat(64)));
        assert!(!has_form(&"x".repeat(65)));
        assert!(!has_form(&"x".repeat(1_000_000)));
    }

    #[test]
    fn locks_tell_when_they_end() {
        let lock = Lock {
            subject: storage::account::LockSubject::User("a".to_owned()),
            cause: LockCause::UserTries,
            until: WallMillis(5_001),
        };
        let problem = locked(&lock, WallMillis(1_000));
        assert_eq!((problem.status.as_u16(), problem.code), (401, "132"));
        let answer = problem.answer(crate::http::metrics::Group::PlayAudioFile, "1");
        assert_eq!(answer.headers()[http::header::RETRY_AFTER], "5");
    }
}
