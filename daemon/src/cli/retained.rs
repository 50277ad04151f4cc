//! What keeps a recording, in words: rows of `recordings show`.

use storage::retention::duration_text;

use crate::control::wire::{Hold, PolicyTerm, Retained};

/// Rows under their names.
pub(super) fn rows(retained: &Retained) -> Vec<(&'static str, String)> {
    let keeping = &retained.keeping;
    let mut rows = Vec::new();
    if !keeping.tags.is_empty() {
        rows.push(("tags", keeping.tags.join(", ")));
    }
    let hold = |hold: &Hold| {
        let Hold { id, reason, by, at } = hold;
        ("hold", format!("{id}: {reason} (by {by}, {at})"))
    };
    rows.extend(keeping.holds.iter().map(hold));
    rows.extend(
        keeping
            .keep_until
            .as_ref()
            .map(|until| ("keep until", format!("{until} at least"))),
    );
    let term = |term: &PolicyTerm, word| {
        let until = term.until.as_deref().unwrap_or("nobody knows when");
        let length = duration_text(term.ms);
        format!("policy '{}': {length} at {word}, {until}", term.policy)
    };
    rows.extend(
        retained
            .least
            .as_ref()
            .map(|it| ("minimum", term(it, "least"))),
    );
    rows.extend(
        retained
            .most
            .as_ref()
            .map(|it| ("maximum", term(it, "most"))),
    );
    if !retained.byte_limits.is_empty() {
        let names = retained.byte_limits.join(", ");
        rows.push(("size limit", format!("policies {names}, after its minimum")));
    }
    rows.push(("deletion", fate(retained)));
    rows
}

/// Whether and when it goes.
fn fate(retained: &Retained) -> String {
    let mut text = match &retained.protected {
        Some(why) => format!("not now: {why}"),
        None => "by command, or for want of space".to_owned(),
    };
    if !retained.keeping.holds.is_empty() {
        text.push_str("; not before all holds are lifted");
    } else if let (Some(due), Some(most)) = (&retained.due, &retained.most) {
        text.push_str(&format!("; by policy '{}' at {due}", most.policy));
    }
    if retained.suspended {
        text.push_str("; SUSPENDED, 'callreel retention resume' tells why");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::wire::Keeping;

    #[test]
    fn it_is_told_what_keeps_a_recording_and_when_it_goes() {
        let mut retained = Retained {
            keeping: Keeping::default(),
            protected: None,
            least: None,
            most: None,
            due: None,
            byte_limits: Vec::new(),
            suspended: false,
        };
        let told = rows(&retained);
        assert_eq!(
            told,
            [("deletion", "by command, or for want of space".to_owned())]
        );
        retained.most = Some(PolicyTerm {
            policy: "calls".to_owned(),
            ms: 30 * 86_400_000,
            until: Some("2026-12-30".to_owned()),
        });
        retained.due = Some("2027-01-01".to_owned());
        let told = rows(&retained);
        assert_eq!(told[0].1, "policy 'calls': 30 days at most, 2026-12-30");
        assert!(
            told[1].1.ends_with("by policy 'calls' at 2027-01-01"),
            "{told:?}"
        );
        retained.keeping.holds.push(Hold {
            id: 2,
            reason: "case 12".to_owned(),
            by: "counsel".to_owned(),
            at: "2026-11-30".to_owned(),
        });
        retained.protected = Some("it is held".to_owned());
        let told = rows(&retained);
        assert_eq!(
            told[0],
            ("hold", "2: case 12 (by counsel, 2026-11-30)".to_owned())
        );
        assert_eq!(
            told[2].1,
            "not now: it is held; not before all holds are lifted"
        );
    }
}
