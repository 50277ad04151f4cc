//! Gathers what the full text finds: not the best, but the first in the order of the page.

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use super::super::Order;
use super::super::engine::{Places, Span};
use crate::index::search::lists::Place;
use crate::limits::NOTE_HITS_MAX;
use crate::record::WallMillis;

/// Whose notes, in which order, within which span.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) tenant: u64,
    pub(super) order: Order,
    pub(super) span: Span,
}

/// The first places of one segment.
pub(super) struct OfSegment {
    asked: Asked,
    tenant: Column<u64>,
    started_at: Column<u64>,
    id: Column<u64>,
    first: First,
}

/// The first places of very many.
pub(super) struct First {
    places: Vec<Place>,
    is_whole: bool,
}

impl First {
    fn settle(&mut self, order: Order) {
        match order {
            Order::NewestFirst => self.places.sort_unstable_by(|a, b| b.cmp(a)),
            Order::OldestFirst => self.places.sort_unstable(),
        }
        self.places.dedup();
        if self.places.len() > NOTE_HITS_MAX {
            self.places.truncate(NOTE_HITS_MAX);
            self.is_whole = false;
        }
    }
}

impl Collector for Asked {
    type Fruit = Places;
    type Child = OfSegment;

    fn for_segment(
        &self,
        _: SegmentOrdinal,
        segment: &SegmentReader,
    ) -> tantivy::Result<OfSegment> {
        let columns = segment.fast_fields();
        Ok(OfSegment {
            asked: *self,
            tenant: columns.u64("tenant")?,
            started_at: columns.u64("started_at")?,
            id: columns.u64("id")?,
            first: First {
                places: Vec::new(),
                is_whole: true,
            },
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<First>) -> tantivy::Result<Places> {
        let mut all = First {
            places: Vec::new(),
            is_whole: segments.iter().all(|first| first.is_whole),
        };
        // Behind the last place of a segment that told only its first ones nothing is known.
        let known = segments
            .iter()
            .filter(|first| !first.is_whole)
            .filter_map(|first| first.places.last().copied());
        let known = match self.order {
            Order::NewestFirst => known.max(),
            Order::OldestFirst => known.min(),
        };
        let places = segments.into_iter().flat_map(|first| first.places);
        all.places = places
            .filter(|place| {
                known.is_none_or(|known| !super::super::lead::is_before(self.order, known, *place))
            })
            .collect();
        all.settle(self.order);
        Ok(Places {
            places: all.places,
            is_whole: all.is_whole,
        })
    }
}

impl SegmentCollector for OfSegment {
    type Fruit = First;

    fn collect(&mut self, doc: DocId, _: Score) {
        if self.tenant.first(doc) != Some(self.asked.tenant) {
            return;
        }
        let (Some(at), Some(id)) = (self.started_at.first(doc), self.id.first(doc)) else {
            return;
        };
        let place = Place::new(WallMillis(at), id);
        let span = self.asked.span;
        if place < span.first || place > span.last {
            return;
        }
        self.first.places.push(place);
        if self.first.places.len() >= 4 * NOTE_HITS_MAX {
            self.first.settle(self.asked.order);
        }
    }

    fn harvest(mut self) -> First {
        self.first.settle(self.asked.order);
        self.first
    }
}
