//! The forms of texts in a configuration.

use std::net::SocketAddr;

use storage::ids::{GroupName, LineName, Number, PolicyName, Tag, TenantName};

use super::schema::{ByteSize, ChannelList, Span, SyslogTarget};

/// The form of a text.
pub(super) struct Form {
    /// What it looks like, in words.
    pub(super) wanted: &'static str,
    /// Whether a text has the form.
    pub(super) fits: fn(&str) -> bool,
}

pub(super) const ADDRESS: Form = Form {
    wanted: "an address and port such as \"127.0.0.1:8080\" or \"[::]:8443\"",
    fits: |text| text.parse::<SocketAddr>().is_ok(),
};
pub(super) const ORIGIN: Form = Form {
    wanted: "\"*\" or an origin such as \"https://example.org\" or \"http://host:8080\"",
    fits: is_origin,
};
pub(super) const PUBLIC_URL: Form = Form {
    wanted: "a scheme, host and perhaps a port without a path, such as \"https://example.org\"",
    fits: |text| text != "*" && is_origin(text),
};
pub(super) const NETWORK: Form = Form {
    wanted: "a network such as \"10.1.0.0/16\" or \"fd00::/8\"",
    fits: |text| text.parse::<ipnet::IpNet>().is_ok(),
};
pub(super) const ARGUMENT: Form = Form {
    wanted: "a program or an argument of 1 to 1024 bytes without control characters",
    fits: |text| is_words(text, 1_024),
};
pub(super) const UPSTREAM: Form = Form {
    wanted: "an http or https URL of at most 1024 bytes, such as \"http://127.0.0.1:5002/speak\"",
    fits: is_url,
};
pub(super) const VOICE: Form = Form {
    wanted: "a voice's name of 1 to 64 letters, digits or any of '-_.+', not begun with '-'",
    fits: is_voice,
};
pub(super) const GROUP: Form = Form {
    wanted: "a group's name of 1 to 32 letters, digits, '-', '_' or '.'",
    fits: |text| made_of(text, 32, "-_."),
};
pub(super) const PCM: Form = Form {
    wanted: "an ALSA PCM's name of 1 to 256 printable characters, such as \"plughw:0,0\"",
    fits: |text| {
        !text.trim().is_empty() && text.len() <= 256 && !text.chars().any(char::is_control)
    },
};
pub(super) const CHANNELS: Form = Form {
    wanted: "channel numbers from 1 to 1023 and ranges of them, such as \"1-15,17-31\"",
    fits: |text| text.parse::<ChannelList>().is_ok(),
};
pub(super) const ZONE: Form = Form {
    wanted: "a country's code in two small letters, such as \"us\"",
    fits: |text| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase()),
};
pub(super) const LINE_NAME: Form = Form {
    wanted: "1 to 64 letters, digits, '-' or '_'",
    fits: |text| LineName::new(text).is_ok(),
};
pub(super) const TENANT_NAME: Form = Form {
    wanted: "1 to 64 letters, digits, '-' or '_'",
    fits: |text| TenantName::new(text).is_ok(),
};
pub(super) const GROUP_NAME: Form = Form {
    wanted: "1 to 64 letters, digits, '-' or '_'",
    fits: |text| GroupName::new(text).is_ok(),
};
pub(super) const POLICY_NAME: Form = Form {
    wanted: "1 to 64 letters, digits, '-' or '_'",
    fits: |text| PolicyName::new(text).is_ok(),
};
pub(super) const TAG: Form = Form {
    wanted: "1 to 64 letters, digits or any of '-_.:'",
    fits: |text| Tag::new(text).is_ok(),
};
pub(super) const SPAN: Form = Form {
    wanted: "a time such as \"90 days\", \"12 h\", \"30 s\" or \"1 year 6 months\", \
             of at most 100 years",
    fits: |text| text.parse::<Span>().is_ok(),
};
pub(super) const SIZE: Form = Form {
    wanted: "a size such as \"500 GiB\", \"2 TiB\" or \"750 MB\"",
    fits: |text| text.parse::<ByteSize>().is_ok(),
};
pub(super) const SYSLOG: Form = Form {
    wanted: "a syslog server such as \"udp://10.1.0.5:514\" or \"udp://loghost.example.org\"",
    fits: |text| text.parse::<SyslogTarget>().is_ok(),
};
pub(super) const MAILBOX: Form = Form {
    wanted: "a mail address of at most 254 bytes, such as \"root\" or \"it@example.org\"",
    fits: is_mailbox,
};
pub(super) const NUMBER: Form = Form {
    wanted: "1 to 64 letters, digits or any of '+*#-_.@:'",
    fits: |text| Number::new(text).is_ok(),
};

fn made_of(text: &str, longest: usize, extra: &str) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

fn is_words(text: &str, longest: usize) -> bool {
    !text.trim().is_empty() && text.len() <= longest && !text.chars().any(char::is_control)
}

/// A local name, or name and domain (RFC 5321 section 4.1.2) without quotes and comments: nothing
/// that could begin another header or address.
fn is_mailbox(text: &str) -> bool {
    let (local, domain) = text
        .split_once('@')
        .map_or((text, None), |(l, d)| (l, Some(d)));
    let dots = |text: &str| text.starts_with('.') || text.ends_with('.') || text.contains("..");
    !text.starts_with('-')
        && made_of(local, 64, "!#$%&'*+-/=?^_`{|}~.")
        && !dots(local)
        && domain.is_none_or(|domain| made_of(domain, 189, "-.") && !dots(domain))
}

/// Whether a text is a voice's name: 1 to 64 letters, digits or any of `-_.+`. It becomes an
/// argument of a program, hence no `-` at its beginning.
#[must_use]
pub fn is_voice(text: &str) -> bool {
    made_of(text, 64, "-_.+") && !text.starts_with('-')
}

/// Whether a text is an absolute http or https URL without user and fragment, of at most 1024
/// bytes.
#[must_use]
pub fn is_url(text: &str) -> bool {
    let parsed = text.parse::<http::Uri>();
    is_words(text, 1_024)
        && parsed.is_ok_and(|url| {
            matches!(url.scheme_str(), Some("http" | "https"))
                && url.host().is_some_and(|host| !host.is_empty())
                && !url
                    .authority()
                    .is_some_and(|host| host.as_str().contains('@'))
                && !text.contains('#')
        })
}

/// A serialised origin (RFC 6454 section 6.2): scheme, host, perhaps a port, and nothing more.
fn is_origin(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let Some(authority) = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
    else {
        return false;
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let host_fits = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => made_of(host, 253, "-.") && !host.bytes().any(|b| b.is_ascii_uppercase()),
    };
    host_fits && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

#[cfg(test)]
mod tests {
    use super::{is_mailbox, is_origin, is_url};

    #[test]
    fn mailboxes_hold_nothing_that_another_header_could_begin_with() {
        for good in [
            "root",
            "it@example.org",
            "a.b+c@[not]".trim_end_matches("@[not]"),
        ] {
            assert!(is_mailbox(good), "{good}");
        }
        for bad in [
            "",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "a b",
            "a\nBcc: x",
            "-oQ/tmp",
            "a..b",
            "a,b",
            "<a>",
        ] {
            assert!(!is_mailbox(bad), "{bad:?}");
        }
    }

    #[test]
    fn upstreams_are_absolute_urls_without_a_user() {
        for good in ["http://127.0.0.1:5002/speak?v=1", "https://tts.example.org"] {
            assert!(is_url(good), "{good}");
        }
        for bad in [
            "",
            "/speak",
            "tts.example.org/speak",
            "ftp://tts.example.org",
            "http://",
            "http://user:secret@tts.example.org/",
            "http://tts.example.org/#part",
            "http://a b/",
        ] {
            assert!(!is_url(bad), "{bad}");
        }
    }

    #[test]
    fn origins_are_scheme_host_and_port_only() {
        for good in [
            "*",
            "https://example.org",
            "http://10.0.0.1:8080",
            "http://[::1]:80",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "example.org",
            "https://",
            "https://example.org/",
            "https://example.org:0",
            "https://example.org:x",
            "https://EXAMPLE.org",
            "ftp://example.org",
            "https://a b",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
