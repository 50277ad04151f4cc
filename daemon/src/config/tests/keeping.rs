//! Tests of what is kept, proven and told.

use super::{load_files, load_text};

/// A configuration, and what its refusal says.
type Case = (&'static str, &'static [&'static str]);

const CONTRADICTIONS: &[Case] = &[
    (
        "[[retention.policy]]\nname = 'a'\nkeep_at_least = '2 years'\nkeep_at_most = '1 year'\n",
        &[":1: retention.policy", "'a' contradicts itself"],
    ),
    (
        "[[retention.policy]]\nname = 'a'\nkeep_at_least = '2 years'\n\n\
         [[retention.policy]]\nname = 'b'\nkeep_at_most = '1 year'\n",
        &[":5: retention.policy", "'b' and 'a' contradict each other"],
    ),
    (
        "[[retention.policy]]\nname = 'a'\nmax_size = '1 GiB'\n\n\
         [[retention.policy]]\nname = 'a'\nkeep_at_most = '1 year'\n",
        &[
            ":5: retention.policy",
            "two retention policies are named 'a'",
        ],
    ),
    (
        "[[retention.policy]]\nname = 'a'\n",
        &[":1: retention.policy", "says nothing"],
    ),
    (
        "[[retention.policy]]\nname = 'a'\nkeep_at_most = '90'\n",
        &[":3: retention.policy.keep_at_most", "\"90 days\""],
    ),
    (
        "[[retention.policy]]\nkeep_at_most = '90 days'\n",
        &[":1: retention.policy.name", "is missing"],
    ),
    (
        "[retention.policy]\nname = 'a'\n",
        &[":1: retention.policy", "[[retention.policy]]"],
    ),
    (
        "[retention]\nlow_free_mib = 100\ncritical_free_mib = 100\n",
        &[":3: retention.critical_free_mib", "low_free_mib = 100"],
    ),
    (
        "[retention]\nlow_free_mib = 100\nfull_free_mib = 200\n",
        &[":3: retention.full_free_mib", "200 is not below"],
    ),
    (
        "[ledger]\nkey_file = '/nonexistent/key.pem'\n",
        &[":2: ledger.key_file", "no file '/nonexistent/key.pem'"],
    ),
    (
        "[ledger]\nsyslog = 'tcp://a'\n",
        &[":2: ledger.syslog", "udp://"],
    ),
    (
        "[alarms]\nwebhook = 'https://192.0.2.7/a'\n",
        &[":2: alarms.webhook_secret_file", "whsec_"],
    ),
    (
        "[alarms]\nmail_to = ['a@b\\nBcc: c']\n",
        &[":2: alarms.mail_to", "a mail address"],
    ),
    (
        "[storage]\ndata_dir = '/srv/calls'\nmarker = '/srv/calls/marker'\n",
        &[":3: storage.marker", "choose another disk"],
    ),
];

#[test]
fn what_contradicts_itself_is_refused_with_its_place() {
    for (text, parts) in CONTRADICTIONS {
        let message = load_text(text).expect_err(text);
        for part in *parts {
            assert!(
                message.contains(part),
                "{text:?} gave {message:?}, without {part:?}"
            );
        }
    }
    let environment = [("CALLREEL__RETENTION__POLICY", "x")];
    let message = load_files(&[("callreel.toml", "")], &environment).expect_err("a table");
    assert!(
        message.contains("put [[retention.policy]] tables"),
        "{message}"
    );
}

#[test]
fn policies_add_up_over_all_files() {
    let policy =
        |name: &str, rest: &str| format!("[[retention.policy]]\nname = '{name}'\n{rest}\n");
    let (a, b) = (
        policy("a", "keep_at_most = '90 days'"),
        policy("b", "max_size = '2 GiB'"),
    );
    let files = [("callreel.toml", a.as_str()), ("conf.d/b.toml", b.as_str())];
    let environment = [
        ("CALLREEL__RETENTION__LOW_FREE_MIB", "64"),
        ("CALLREEL__LEDGER__SYSLOG", "udp://[::1]"),
    ];
    let config = load_files(&files, &environment).expect("valid");
    let policies = &config.retention.policies;
    assert_eq!(policies.len(), 2);
    assert_eq!(
        policies[0].keep_at_most.map(|span| span.0),
        Some(7_776_000_000)
    );
    assert_eq!(policies[1].max_size.map(|size| size.0), Some(2 << 30));
    assert_eq!(config.retention.low_free_mib, Some(64));
    assert_eq!(config.ledger.syslog.map(|target| target.port), Some(514));
}
