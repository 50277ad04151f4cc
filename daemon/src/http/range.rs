//! The `Range` header (RFC 9110 section 14): from its text and a size to the byte ranges that are
//! to be answered. Pure functions; what an answer looks like is `media.rs`'s business.

use std::cmp::Ordering;
use std::ops::Range;

use super::limits;

/// What a `Range` header asks of a representation of a given size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// No header, another unit, malformed, or more than is reasonable: 200 with everything.
    Whole,
    /// 206 with one range.
    One(Range<u64>),
    /// 206 `multipart/byteranges`: at least two ranges, disjoint, not adjacent, in the order in
    /// which they were first asked for (RFC 9110 section 15.3.7.2).
    Many(Vec<Range<u64>>),
    /// 416: nothing of it lies within the representation.
    Unsatisfiable,
}

/// Reads a `Range` header's value for a representation of `size` bytes.
///
/// Rules that RFC 9110 leaves to the server: more than [`limits::RANGES`] ranges, or ranges whose
/// sum exceeds the size, are answered with everything; overlapping and adjacent ranges are joined.
#[must_use]
pub fn select(value: &[u8], size: u64) -> Selection {
    let Some(set) = bytes_set(value) else {
        return Selection::Whole;
    };
    let mut wanted: Vec<Range<u64>> = Vec::new();
    let mut specs = 0_usize;
    let mut sum = 0_u64;
    for (index, element) in set.split(|byte| *byte == b',').enumerate() {
        let Some(element) = trim_list_element(element, index == 0) else {
            return Selection::Whole;
        };
        if element.is_empty() {
            continue;
        }
        let Some(spec) = Spec::parse(element) else {
            return Selection::Whole;
        };
        specs += 1;
        if let Some(range) = spec.within(size) {
            sum = sum.saturating_add(range.end - range.start);
            // Past the limit the answer is `Whole` or ignored; the rest is only checked.
            if specs <= limits::RANGES {
                wanted.push(range);
            }
        }
    }
    if specs == 0 || specs > limits::RANGES || (specs > 1 && sum > size) {
        return Selection::Whole;
    }
    if size == 0 && set.first() == Some(&b'-') && specs == 1 && !is_zero_suffix(set) {
        // "-n" of an empty representation is all of it, which no Content-Range can express.
        return Selection::Whole;
    }
    let mut joined = join(wanted);
    match joined.len() {
        0 => Selection::Unsatisfiable,
        1 => Selection::One(joined.swap_remove(0)),
        _ => Selection::Many(joined),
    }
}

/// One element of the set. Digits are kept as text, without leading zeros: they may exceed u64.
enum Spec<'a> {
    From(&'a [u8]),
    Between(&'a [u8], &'a [u8]),
    Last(&'a [u8]),
}

impl<'a> Spec<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let dash = text.iter().position(|byte| *byte == b'-')?;
        let (first, last) = (text.get(..dash)?, text.get(dash + 1..)?);
        let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
        if !digits(first) || !digits(last) {
            return None;
        }
        match (first.is_empty(), last.is_empty()) {
            (true, true) => None,
            (true, false) => Some(Self::Last(last)),
            (false, true) => Some(Self::From(first)),
            (false, false) => {
                (compare(first, last) != Ordering::Greater).then_some(Self::Between(first, last))
            }
        }
    }

    /// The part of it that exists; `None` if nothing does.
    fn within(&self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first) => number(first)..size,
            Self::Between(first, last) => number(first)..number(last).saturating_add(1).min(size),
            Self::Last(length) => size.saturating_sub(number(length))..size,
        };
        (range.start < range.end).then_some(range)
    }
}

/// The range set of a `bytes=` value; units are case-insensitive (RFC 9110 section 14.1).
fn bytes_set(value: &[u8]) -> Option<&[u8]> {
    let (unit, set) = value.split_at_checked(6)?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(set)
}

fn is_zero_suffix(set: &[u8]) -> bool {
    set.iter().skip(1).all(|byte| *byte == b'0')
}

/// Optional white space belongs to the commas (RFC 9110 section 5.6.1.2), so none may precede the
/// first element unless that is empty.
fn trim_list_element(element: &[u8], first: bool) -> Option<&[u8]> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let begin = element
        .iter()
        .position(|byte| !is_space(byte))
        .unwrap_or(element.len());
    let trimmed = element.get(begin..)?;
    if first && begin > 0 && !trimmed.is_empty() {
        return None;
    }
    let end = trimmed
        .iter()
        .rposition(|byte| !is_space(byte))
        .map_or(0, |last| last + 1);
    trimmed.get(..end)
}

fn significant(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let (left, right) = (significant(left), significant(right));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// Past u64 it is u64::MAX: no recording is that long, so the meaning stays the same.
fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0_u64, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(u64::from(digit.wrapping_sub(b'0')))
    })
}

/// Joins what overlaps or touches; keeps the order of first mention.
fn join(wanted: Vec<Range<u64>>) -> Vec<Range<u64>> {
    if wanted.len() < 2 {
        return wanted;
    }
    let mut sorted: Vec<(usize, Range<u64>)> = wanted.into_iter().enumerate().collect();
    sorted.sort_by_key(|(_, range)| range.start);
    let mut joined: Vec<(usize, Range<u64>)> = Vec::with_capacity(sorted.len());
    for (order, range) in sorted {
        match joined.last_mut() {
            Some((first, last)) if range.start <= last.end => {
                last.end = last.end.max(range.end);
                *first = (*first).min(order);
            }
            _ => joined.push((order, range)),
        }
    }
    joined.sort_by_key(|(order, _)| *order);
    joined.into_iter().map(|(_, range)| range).collect()
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
