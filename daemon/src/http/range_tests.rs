//! Tests of `range.rs`: a table of the cases players send, and a naive model that works on sets
//! of positions.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn one(start: u64, end: u64) -> Selection {
    Selection::One(start..end)
}

#[test]
fn single_ranges() {
    for (value, expected) in [
        ("bytes=0-1", one(0, 2)),
        ("bytes=0-", one(0, 1_000)),
        ("bytes=999-", one(999, 1_000)),
        ("bytes=0-999", one(0, 1_000)),
        ("bytes=0-18446744073709551615", one(0, 1_000)),
        ("bytes=0-99999999999999999999999999", one(0, 1_000)),
        ("bytes=-1", one(999, 1_000)),
        ("bytes=-1000", one(0, 1_000)),
        ("bytes=-1001", one(0, 1_000)),
        ("bytes=-18446744073709551616", one(0, 1_000)),
        ("bytes=0005-0009", one(5, 10)),
        ("Bytes=5-9", one(5, 10)),
        ("bytes=1000-", Selection::Unsatisfiable),
        ("bytes=1000-1001", Selection::Unsatisfiable),
        ("bytes=18446744073709551615-", Selection::Unsatisfiable),
        (
            "bytes=18446744073709551615-18446744073709551615",
            Selection::Unsatisfiable,
        ),
        (
            "bytes=99999999999999999999-99999999999999999999",
            Selection::Unsatisfiable,
        ),
        ("bytes=-0", Selection::Unsatisfiable),
        ("bytes=-00", Selection::Unsatisfiable),
    ] {
        assert_eq!(select(value.as_bytes(), 1_000), expected, "{value}");
    }
}

#[test]
fn malformed_values_are_ignored() {
    for value in [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=,",
        "bytes= ",
        "bytes=1",
        "bytes=a-b",
        "bytes=1-b",
        "bytes=--1",
        "bytes=1--2",
        "bytes=1-2-3",
        "bytes=2-1",
        "bytes=0-1,2-1",
        "bytes=+1-2",
        "bytes=1 -2",
        "bytes=1- 2",
        "bytes= 1-2",
        "bytes =1-2",
        "bytes:1-2",
        "items=0-1",
        "bytes=0-1;2-3",
        "bytes=0x1-0x2",
        "bytes=100000000000000000001-100000000000000000000",
        "bytes=0-1,x",
        "bytes=\u{0}0-1",
    ] {
        assert_eq!(
            select(value.as_bytes(), 1_000),
            Selection::Whole,
            "{value:?}"
        );
    }
}

#[test]
fn sets_are_joined_and_keep_their_order() {
    for (value, expected) in [
        ("bytes=0-1,5-6", Selection::Many(vec![0..2, 5..7])),
        ("bytes=5-6,0-1", Selection::Many(vec![5..7, 0..2])),
        ("bytes=0-1 ,\t5-6 , ", Selection::Many(vec![0..2, 5..7])),
        ("bytes=,0-1,,5-6", Selection::Many(vec![0..2, 5..7])),
        ("bytes= ,0-1", one(0, 2)),
        ("bytes=0-1,2-3", one(0, 4)),
        ("bytes=2-3,0-1", one(0, 4)),
        ("bytes=0-9,5-20", one(0, 21)),
        ("bytes=0-9,2-3", one(0, 10)),
        ("bytes=8-9,0-1,5-7", Selection::Many(vec![5..10, 0..2])),
        ("bytes=0-1,1000-", one(0, 2)),
        ("bytes=-0,0-1", one(0, 2)),
        ("bytes=1000-,2000-", Selection::Unsatisfiable),
    ] {
        assert_eq!(select(value.as_bytes(), 1_000), expected, "{value}");
    }
}

#[test]
fn floods_are_answered_with_everything() {
    let ranges = |count: u64| {
        let parts: Vec<String> = (0..count).map(|i| format!("{0}-{0}", i * 2)).collect();
        format!("bytes={}", parts.join(","))
    };
    assert!(
        matches!(select(ranges(16).as_bytes(), 1_000), Selection::Many(all) if all.len() == 16)
    );
    assert_eq!(select(ranges(17).as_bytes(), 1_000), Selection::Whole);
    assert_eq!(select(b"bytes=0-599,100-699", 1_000), Selection::Whole);
    assert_eq!(select(b"bytes=0-499,500-999", 1_000), one(0, 1_000));
}

#[test]
fn an_empty_representation_has_no_ranges() {
    assert_eq!(select(b"bytes=0-", 0), Selection::Unsatisfiable);
    assert_eq!(select(b"bytes=-0", 0), Selection::Unsatisfiable);
    assert_eq!(select(b"bytes=-5", 0), Selection::Whole);
}

/// What each element names, as positions; `None` for a malformed one.
fn positions(element: &str, size: u64) -> Option<BTreeSet<u64>> {
    let (first, last) = element.split_once('-')?;
    let parse = |text: &str| {
        (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<u128>().unwrap_or(u128::MAX))
    };
    let all = 0..size;
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (true, false) => {
            let length = parse(last)?;
            Some(all.filter(|at| u128::from(size - at) <= length).collect())
        }
        (false, true) => {
            let from = parse(first)?;
            Some(all.filter(|at| u128::from(*at) >= from).collect())
        }
        (false, false) => {
            let (from, to) = (parse(first)?, parse(last)?);
            let within = |at: &u64| u128::from(*at) >= from && u128::from(*at) <= to;
            (from <= to).then(|| all.filter(within).collect())
        }
    }
}

fn model(elements: &[String], size: u64) -> Selection {
    let sets: Option<Vec<BTreeSet<u64>>> = elements
        .iter()
        .map(|element| positions(element, size))
        .collect();
    let Some(sets) = sets else {
        return Selection::Whole;
    };
    let sum: usize = sets.iter().map(BTreeSet::len).sum();
    if sets.is_empty() || sets.len() > 16 || (sets.len() > 1 && sum as u64 > size) {
        return Selection::Whole;
    }
    let union: BTreeSet<u64> = sets.iter().flatten().copied().collect();
    let mut runs: Vec<Range<u64>> = Vec::new();
    for at in union {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    let mention = |run: &Range<u64>| {
        sets.iter()
            .position(|set| set.iter().any(|at| run.contains(at)))
            .unwrap_or(usize::MAX)
    };
    runs.sort_by_key(mention);
    match runs.len() {
        0 => Selection::Unsatisfiable,
        1 => Selection::One(runs.swap_remove(0)),
        _ => Selection::Many(runs),
    }
}

fn bound() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0_u64..70).prop_map(|n| n.to_string()),
        1 => (0_u64..70).prop_map(|n| format!("00{n}")),
        1 => Just(String::new()),
        1 => Just(u64::MAX.to_string()),
        1 => Just(format!("{}0", u64::MAX)),
        1 => Just("x".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_model(
        pairs in prop::collection::vec((bound(), bound()), 0..19),
        size in 1_u64..64,
        comma in prop_oneof![Just(","), Just(" ,"), Just(", "), Just(",\t,")],
    ) {
        let elements: Vec<String> = pairs.iter().map(|(a, b)| format!("{a}-{b}")).collect();
        let value = format!("bytes={}", elements.join(comma));
        prop_assert_eq!(select(value.as_bytes(), size), model(&elements, size), "{}", value);
    }

    #[test]
    fn never_panics_and_never_leaves_the_representation(
        value in prop::collection::vec(any::<u8>(), 0..80),
        prefixed in any::<bool>(),
        size in any::<u64>(),
    ) {
        let value = if prefixed { [b"bytes=".as_slice(), &value].concat() } else { value };
        match select(&value, size) {
            Selection::One(range) => prop_assert!(range.start < range.end && range.end <= size),
            Selection::Many(ranges) => {
                prop_assert!(ranges.len() >= 2 && ranges.len() <= limits::RANGES);
                for range in ranges {
                    prop_assert!(range.start < range.end && range.end <= size);
                }
            }
            Selection::Whole | Selection::Unsatisfiable => {}
        }
    }
}
