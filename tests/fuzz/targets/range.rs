//! Fuzzes the `Range` header. The first eight bytes are the representation's size, the rest is the
//! header's value; whatever comes out must lie within the representation.

#![no_main]

use libfuzzer_sys::fuzz_target;
use range::{Selection, select};

// The two files alone: the rest of the daemon would only be compiled, never run.
#[allow(dead_code, reason = "most limits are for the files that are not here")]
#[path = "../../../daemon/src/http/limits.rs"]
mod limits;
#[path = "../../../daemon/src/http/range.rs"]
mod range;

fuzz_target!(|bytes: &[u8]| {
    let Some((size, value)) = bytes.split_first_chunk::<8>() else { return };
    let size = u64::from_le_bytes(*size);
    let ranges = match select(value, size) {
        Selection::Whole | Selection::Unsatisfiable => return,
        Selection::One(range) => vec![range],
        Selection::Many(ranges) => {
            assert!(ranges.len() >= 2, "one range is never multipart");
            ranges
        }
    };
    assert!(ranges.len() <= limits::RANGES, "more ranges than the limit");
    for (index, range) in ranges.iter().enumerate() {
        assert!(range.start < range.end && range.end <= size, "{range:?} of {size}");
        for other in &ranges[index + 1..] {
            let apart = range.end < other.start || other.end < range.start;
            assert!(apart, "{range:?} and {other:?} were not joined");
        }
    }
});
