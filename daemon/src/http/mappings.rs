//! Which mapped files the socket writer of this thread may send from with `sendfile`. The table
//! only ever says "this address lies in that mapping" while the mapping is alive.
//!
//! Why this cannot send wrong bytes: an address belongs to one mapping at a time, and a mapping
//! whose `Weak` still upgrades is still mapped. So a slice whose addresses lie in an upgraded
//! mapping's range *is* a slice of that mapping, whoever made it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use storage::view::Mapping;

use super::limits;

thread_local! {
    static KNOWN: RefCell<BTreeMap<usize, Weak<Mapping>>> = const { RefCell::new(BTreeMap::new()) };
}

/// A place in a mapped file.
pub(super) struct Place {
    /// The file and what keeps it open.
    pub(super) mapping: Arc<Mapping>,
    /// Where in the file the slice begins.
    pub(super) offset: u64,
}

/// Makes slices of a mapping recognisable on this thread.
pub(super) fn remember(mapping: &Arc<Mapping>) {
    let addresses = mapping.address_range();
    if addresses.is_empty() {
        return;
    }
    let start = addresses.start;
    KNOWN.with_borrow_mut(|known| {
        if known
            .get(&start)
            .is_some_and(|seen| seen.as_ptr() == Arc::as_ptr(mapping))
        {
            return;
        }
        known.insert(start, Arc::downgrade(mapping));
        if known.len() > limits::KNOWN_MAPPINGS {
            known.retain(|_, seen| seen.strong_count() > 0);
            while known.len() > limits::KNOWN_MAPPINGS {
                known.pop_first();
            }
        }
    });
}

/// The file a slice is mapped from, if it lies wholly in one that this thread knows.
pub(super) fn place_of(slice: &[u8]) -> Option<Place> {
    let first = slice.as_ptr() as usize;
    let end = first.checked_add(slice.len())?;
    KNOWN.with_borrow_mut(|known| {
        loop {
            let (start, seen) = known.range(..=first).next_back()?;
            let start = *start;
            let Some(mapping) = seen.upgrade() else {
                known.remove(&start);
                continue;
            };
            let range = mapping.address_range();
            if range.start > first || range.end < end {
                return None;
            }
            let offset = mapping.file_offset() + (first - range.start) as u64;
            return Some(Place { mapping, offset });
        }
    })
}
