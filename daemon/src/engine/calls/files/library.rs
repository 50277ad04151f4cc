//! URLs of this daemon's own prompts, which are read without any network: its `PlayAudioFile.php`
//! on `http.public_url` or an address that is served, with `cdw_id` or `cdw_file`, and
//! `http://prompts.localhost/<id>`, with or without an extension. No name server answers for
//! `.localhost` (RFC 6761 section 6.3).

use storage::ids::PromptId;
use url::Url;

use crate::config::schema::Http;

/// Where clients may say that this daemon is.
pub(super) fn own_origins(http: &Http) -> Vec<String> {
    let plain = http
        .listen
        .iter()
        .map(|address| format!("http://{address}"));
    let secure = http
        .listen_tls
        .iter()
        .map(|address| format!("https://{address}"));
    plain.chain(secure).chain(http.public_url.clone()).collect()
}

/// The prompt that a URL names; `Some(None)` for one of this daemon's own that names none.
pub(super) fn prompt_of(url: &str, own: &[String]) -> Option<Option<PromptId>> {
    let url = Url::parse(url).ok()?;
    if url.host_str() == Some(HOST) {
        return Some(number(url.path().strip_prefix('/')?));
    }
    let is_own = |own: &String| Url::parse(own).is_ok_and(|own| own.origin() == url.origin());
    if !url.path().ends_with(PATH) || !own.iter().any(is_own) {
        return None;
    }
    let field = |name: &str| {
        let mut fields = url.query_pairs();
        fields
            .find(|(field, _)| field == name)
            .map(|(_, value)| value)
    };
    // A recording goes before a prompt, and is not one.
    if field("recid").is_some() {
        return None;
    }
    let id = field("cdw_id").or_else(|| field("cdw_file"))?;
    Some(number(&id))
}

/// The number in `12`, `12.mp3` or `tf12`.
fn number(text: &str) -> Option<PromptId> {
    let stem = text.split_once('.').map_or(text, |(stem, _)| stem);
    let digits = stem.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?.map(PromptId)
}

const HOST: &str = "prompts.localhost";
const PATH: &str = "/api/v2/PlayAudioFile.php";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_prompts_are_told_from_other_urls() {
        let http = Http {
            public_url: Some("https://calls.example.com/".into()),
            listen: vec!["10.0.0.5:8080".parse().unwrap()],
            ..Http::default()
        };
        let own = own_origins(&http);
        for (url, expected) in [
            ("http://prompts.localhost/12", Some(Some(12))),
            ("http://prompts.localhost/12.mp3", Some(Some(12))),
            ("https://PROMPTS.localhost/tf12.wav", Some(Some(12))),
            ("http://prompts.localhost/", Some(None)),
            ("http://prompts.localhost/../../12x", Some(None)),
            ("http://prompts.localhost/12/13", Some(None)),
            (
                "https://calls.example.com/api/v2/PlayAudioFile.php?tsid=x&cdw_id=7",
                Some(Some(7)),
            ),
            (
                "https://calls.example.com:443/api/v2/PlayAudioFile.php?cdw_file=tf7.mp3",
                Some(Some(7)),
            ),
            (
                "https://calls.example.com/api/v2/PlayAudioFile.php?cdw_id=7&recid=8",
                None,
            ),
            ("https://calls.example.com/api/v2/PlayAudioFile.php", None),
            (
                "http://calls.example.com/api/v2/PlayAudioFile.php?cdw_id=7",
                None,
            ),
            (
                "https://other.example.com/api/v2/PlayAudioFile.php?cdw_id=7",
                None,
            ),
            ("https://calls.example.com/a.mp3", None),
            (
                "http://10.0.0.5:8080/api/v2/PlayAudioFile.php?cdw_id=7",
                Some(Some(7)),
            ),
            ("http://10.0.0.5/api/v2/PlayAudioFile.php?cdw_id=7", None),
        ] {
            let expected = expected.map(|id: Option<u64>| id.map(PromptId));
            assert_eq!(prompt_of(url, &own), expected, "{url}");
        }
        let there = "https://calls.example.com/api/v2/PlayAudioFile.php?cdw_id=7";
        assert_eq!(prompt_of(there, &[]), None);
    }
}
