//! Links of any shape, altered in any way.

use proptest::prelude::*;

use super::*;
use crate::http::limits;

const NOW: WallMillis = WallMillis(1_700_000_000_000);

fn key(id: u32, retired: bool) -> SigningKey {
    SigningKey {
        id,
        secret: [u8::try_from(id % 251).unwrap(); 32],
        created_at: NOW,
        retired_at: retired.then_some(NOW),
    }
}

fn link() -> Link {
    Link {
        tenant: TenantId(0x1f),
        id: RecordingId(0xabc),
        expires_s: NOW.0 / 1_000 + 3_600,
        disposition: Disposition::Inline,
    }
}

fn check(text: &str, keys: &[SigningKey], now: WallMillis) -> Result<Link, LinkError> {
    let rest = text.strip_prefix(PATH).unwrap();
    let (segment, query) = rest.split_once('?').unwrap_or((rest, ""));
    Link::check(segment, query, keys, now).map(|checked| checked.link)
}

#[test]
fn what_is_signed_is_what_is_granted() {
    let keys = [key(1, true), key(2, false), key(3, false)];
    for disposition in [Disposition::Inline, Disposition::Attachment] {
        let link = Link {
            disposition,
            ..link()
        };
        let text = link.sign(&keys).unwrap();
        assert!(text.starts_with("/media/1f-abc?expires=1700003600&disposition="));
        assert!(text.contains("&kid=3&signature="), "the newest key signs");
        assert_eq!(check(&text, &keys, NOW), Ok(link));
    }
    assert_eq!(link().sign(&[key(1, true)]), None);
}

#[test]
fn links_end_with_their_time_and_with_their_key() {
    let keys = [key(1, false), key(2, false)];
    let text = link().sign(&keys[..1]).unwrap();
    let at = |s: u64| WallMillis(NOW.0 + s * 1_000);
    assert_eq!(check(&text, &keys, at(3_599)), Ok(link()));
    assert_eq!(check(&text, &keys, at(3_600)), Err(LinkError::Expired));
    // Made by a clock that was ahead: it ends later than the longest link made now.
    let ahead = limits::RECORDING_LINK_LIFE - limits::LINK_LIFE;
    let ahead = u64::try_from(ahead.as_millis()).unwrap();
    let before = |ms: u64| WallMillis(NOW.0 - ahead - ms);
    assert_eq!(check(&text, &keys, before(0)), Ok(link()));
    assert_eq!(check(&text, &keys, before(1_000)), Err(LinkError::Expired));
    let retired = [key(1, true), key(2, false)];
    assert_eq!(check(&text, &retired, NOW), Err(LinkError::Retired));
    assert_eq!(check(&text, &keys[1..], NOW), Err(LinkError::Forged));
    // Neither is told of a link that was changed.
    let forged = text.replace("abc", "abd");
    assert_eq!(check(&forged, &keys, at(9_999)), Err(LinkError::Forged));
    assert_eq!(check(&forged, &retired, NOW), Err(LinkError::Forged));
}

#[test]
fn every_field_counts_once_and_in_one_spelling() {
    let keys = [key(1, false), key(2, false)];
    let text = link().sign(&keys).unwrap();
    let (path, query) = text.split_once('?').unwrap();
    let fields: Vec<&str> = query.split('&').collect();
    let mut altered = vec![
        path.to_owned(),
        format!("{path}?"),
        format!("{text}&"),
        format!("{text}&x=1"),
        format!("{text}&download=1"),
        format!("{path}?x=1&{query}"),
        format!("{path}?&{query}"),
        text.replace("1f-abc", "1F-ABC"),
        text.replace("1f-abc", "01f-abc"),
        text.replace("1f-abc", "1f-0abc"),
        text.replace("1f-abc", "+1f-abc"),
        text.replace("1f-abc", "1f%2Dabc"),
        text.replace("1f-abc", "1f-abc/"),
        text.replace("1f-abc", "1e-abc"),
        text.replace("expires=", "expires=0"),
        text.replace("expires=", "expires=+"),
        text.replace("expires=", "Expires="),
        text.replace("expires=1700003600", "expires=1700003601"),
        text.replace("expires=1700003600", "expires=18446744073709551616"),
        text.replace("inline", "attachment"),
        text.replace("inline", "Inline"),
        text.replace("inline", "%69nline"),
        text.replace("kid=2", "kid=1"),
        text.replace("kid=2", "kid=3"),
        text.replace("kid=2", "kid=02"),
        text.replace("kid=2", "kid=4294967298"),
    ];
    let (before, signature) = text.split_once("signature=").unwrap();
    altered.push(format!("{before}signature={}", signature.to_uppercase()));
    altered.push(format!("{before}signature={}00", signature));
    altered.push(format!("{before}signature={}", &signature[2..]));
    altered.push(format!("{before}signature="));
    for (at, field) in fields.iter().enumerate() {
        let mut others = fields.clone();
        others.remove(at);
        altered.push(format!("{path}?{}", others.join("&")));
        altered.push(format!("{text}&{field}"));
        altered.push(format!("{path}?{field}&{query}"));
        let name = field.split('=').next().unwrap();
        altered.push(text.replace(field, name));
        altered.push(text.replace(field, &format!("{name}=")));
    }
    let mut swapped = fields.clone();
    swapped.swap(0, 1);
    altered.push(format!("{path}?{}", swapped.join("&")));
    for bad in altered {
        if bad != text {
            assert_eq!(check(&bad, &keys, NOW), Err(LinkError::Forged), "{bad}");
        }
    }
}

#[test]
fn every_bit_counts() {
    let keys = [key(1, false)];
    let text = link().sign(&keys).unwrap();
    for at in PATH.len()..text.len() {
        for bit in 0..7 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let Ok(bad) = String::from_utf8(bytes) else {
                continue;
            };
            assert_eq!(check(&bad, &keys, NOW), Err(LinkError::Forged), "{bad}");
        }
    }
}

proptest! {
    #[test]
    fn links_hold_what_they_were_made_of(
        tenant: u32,
        id: u64,
        life in 1_u64..=3_600,
        kid: u32,
        attachment: bool,
    ) {
        let link = Link {
            tenant: TenantId(tenant),
            id: RecordingId(id),
            expires_s: NOW.0 / 1_000 + life,
            disposition: if attachment { Disposition::Attachment } else { Disposition::Inline },
        };
        let keys = [key(kid, false)];
        let text = link.sign(&keys).unwrap();
        prop_assert_eq!(check(&text, &keys, NOW), Ok(link));
        let mut other = keys;
        other[0].secret[31] ^= 1;
        prop_assert_eq!(check(&text, &other, NOW), Err(LinkError::Forged));
    }

    #[test]
    fn nothing_else_is_a_link(segment in "\\PC{0,40}", query in "\\PC{0,120}") {
        let keys = [key(1, false)];
        prop_assert_eq!(
            Link::check(&segment, &query, &keys, NOW),
            Err(LinkError::Forged)
        );
    }

    #[test]
    fn splices_of_links_are_none(
        cut in 0_usize..150, insert in "[0-9a-f&=%+\\-]{0,3}", drop in 0_usize..3,
    ) {
        let keys = [key(1, false)];
        let text = link().sign(&keys).unwrap();
        let at = PATH.len() + cut % (text.len() - PATH.len());
        let end = (at + drop).min(text.len());
        let bad = format!("{}{insert}{}", &text[..at], &text[end..]);
        prop_assume!(bad != text);
        prop_assert_eq!(check(&bad, &keys, NOW), Err(LinkError::Forged));
    }
}
