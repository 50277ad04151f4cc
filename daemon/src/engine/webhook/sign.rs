//! Signatures and secrets of Standard Webhooks 1.0.0 (symmetric, `v1`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use storage::outbox::{OutboxError, WebhookSecret};

/// A text that is no webhook secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is 'whsec_' and the base64 of 24 to 64 bytes")]
pub struct SecretError;

/// Reads a secret in the form that people exchange: `whsec_<base64>`.
///
/// # Errors
/// [`SecretError`].
pub fn parse_secret(text: &str) -> Result<WebhookSecret, SecretError> {
    let encoded = text.strip_prefix(PREFIX).ok_or(SecretError)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| SecretError)?;
    WebhookSecret::new(bytes).map_err(|_: OutboxError| SecretError)
}

/// The form that people exchange. It is the secret itself: shown once, never logged.
#[must_use]
pub fn secret_text(secret: &WebhookSecret) -> String {
    format!("{PREFIX}{}", STANDARD.encode(secret.bytes()))
}

/// `webhook-signature` of a body: `v1,` and the base64 of HMAC-SHA256 over id, timestamp (seconds
/// since 1970) and body, joined by full stops.
#[must_use]
pub fn signature(secret: &WebhookSecret, id: &str, timestamp: u64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{id}.{timestamp}.").as_bytes());
    context.update(body);
    format!("v1,{}", STANDARD.encode(context.sign()))
}

const PREFIX: &str = "whsec_";

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the specification's own libraries are tested with.
    #[test]
    fn the_specifications_vector_comes_out() {
        let secret = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_come_back_and_others_are_none() {
        let secret = WebhookSecret::new((0..64).collect()).unwrap();
        assert_eq!(parse_secret(&secret_text(&secret)), Ok(secret));
        let short = format!("{PREFIX}{}", STANDARD.encode([1; 23]));
        let long = format!("{PREFIX}{}", STANDARD.encode([1; 65]));
        let bare = STANDARD.encode([1; 32]);
        for bad in ["", PREFIX, "whsec_!", &short, &long, &bare] {
            assert_eq!(parse_secret(bad), Err(SecretError), "{bad}");
        }
    }
}
