//! What leads a search: lists that are merged, places that the full text found, or, while the
//! lists are still being made, the order of time itself.

use std::collections::VecDeque;

use redb::{Range, ReadOnlyTable};

use super::{Order, SearchError};
use crate::ids::TenantId;
use crate::index::keys::{TimeKey, split_time};
use crate::index::search::brief::{Brief, BriefBytes};
use crate::index::search::lists::{Listed, Place, PostingKey, fits, place_of};

pub(super) type Postings = ReadOnlyTable<&'static PostingKey, &'static BriefBytes>;
pub(super) type Times = ReadOnlyTable<&'static TimeKey, &'static [u8; 5]>;

/// A stretch of the order of time, both ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: Place,
    pub(crate) last: Place,
}

impl Span {
    pub(super) const fn is_empty(self) -> bool {
        self.first.0 > self.last.0
    }

    /// The part of it from a place on.
    pub(super) fn from(self, place: Place, order: Order) -> Self {
        match order {
            Order::NewestFirst => Self {
                last: self.last.min(place),
                ..self
            },
            Order::OldestFirst => Self {
                first: self.first.max(place),
                ..self
            },
        }
    }

    /// The part of it after a place.
    pub(super) fn after(self, place: Place, order: Order) -> Self {
        let next = match order {
            Order::NewestFirst => place.0.checked_sub(1),
            Order::OldestFirst => place.0.checked_add(1),
        };
        match next {
            Some(next) => self.from(Place(next), order),
            None => Self {
                first: Place::LAST,
                last: Place::FIRST,
            },
        }
    }
}

/// Whether the first place comes before the second.
pub(super) const fn is_before(order: Order, one: Place, other: Place) -> bool {
    match order {
        Order::NewestFirst => one.0 > other.0,
        Order::OldestFirst => one.0 < other.0,
    }
}

/// The place just before this one, so that what follows it is this one.
pub(super) const fn step_back(place: Place, order: Order) -> Place {
    match order {
        Order::NewestFirst => Place(place.0.saturating_add(1)),
        Order::OldestFirst => Place(place.0.saturating_sub(1)),
    }
}

/// What a lead comes to next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) place: Place,
    /// Where it is known without the row.
    pub(super) brief: Option<Brief>,
    /// Whether the list says that it may be one of those that are looked for.
    pub(super) fits: bool,
    /// Postings that were passed over for it.
    pub(super) work: usize,
}

/// Lists as one, in order.
pub(super) struct Merge<'t> {
    table: &'t Postings,
    tenant: TenantId,
    order: Order,
    span: Span,
    heads: Vec<Head>,
    /// Steps that were looked at ahead.
    ahead: VecDeque<Step>,
}

struct Head {
    listed: Listed,
    range: Range<'static, &'static PostingKey, &'static BriefBytes>,
    next: Option<(Place, Brief)>,
}

impl Head {
    fn open(
        table: &Postings,
        tenant: TenantId,
        listed: Listed,
        span: Span,
        order: Order,
    ) -> Result<Self, SearchError> {
        let first = listed.list.key(tenant, span.first);
        let last = listed.list.key(tenant, span.last);
        let range = table.range::<&PostingKey>(&first..=&last)?;
        let mut head = Self {
            listed,
            range,
            next: None,
        };
        head.pull(order)?;
        Ok(head)
    }

    fn pull(&mut self, order: Order) -> Result<(), SearchError> {
        let entry = match order {
            Order::NewestFirst => self.range.next_back(),
            Order::OldestFirst => self.range.next(),
        };
        self.next = match entry {
            None => None,
            Some(entry) => {
                let (key, brief) = entry?;
                Some((place_of(key.value()), Brief::from_bytes(brief.value())))
            }
        };
        Ok(())
    }
}

impl<'t> Merge<'t> {
    pub(super) fn open(
        table: &'t Postings,
        tenant: TenantId,
        lists: &[Listed],
        span: Span,
        order: Order,
    ) -> Result<Self, SearchError> {
        let mut heads = Vec::with_capacity(lists.len());
        if !span.is_empty() {
            for listed in lists {
                let head = Head::open(table, tenant, *listed, span, order)?;
                if head.next.is_some() {
                    heads.push(head);
                }
            }
        }
        Ok(Self {
            table,
            tenant,
            order,
            span,
            heads,
            ahead: VecDeque::new(),
        })
    }

    pub(super) fn lists(&self) -> usize {
        self.heads.len()
    }

    fn pull(&mut self) -> Result<Option<Step>, SearchError> {
        let places = self.heads.iter().filter_map(|head| head.next);
        let places = places.map(|(place, _)| place);
        let next = match self.order {
            Order::NewestFirst => places.max(),
            Order::OldestFirst => places.min(),
        };
        let Some(place) = next else { return Ok(None) };
        let mut step = Step {
            place,
            brief: None,
            fits: false,
            work: 0,
        };
        for head in &mut self.heads {
            let Some((_, brief)) = head.next.filter(|(at, _)| *at == place) else {
                continue;
            };
            step.work += 1;
            step.fits |= fits(&head.listed, brief.more);
            step.brief = Some(brief);
            head.pull(self.order)?;
        }
        Ok(Some(step))
    }

    pub(super) fn next(&mut self) -> Result<Option<Step>, SearchError> {
        match self.ahead.pop_front() {
            Some(step) => Ok(Some(step)),
            None => self.pull(),
        }
    }

    pub(super) fn peek(&mut self) -> Result<Option<Place>, SearchError> {
        self.look(1)?;
        Ok(self.ahead.front().map(|step| step.place))
    }

    /// Looks at so many steps without taking them; answers how many there are, up to that.
    pub(super) fn look(&mut self, steps: usize) -> Result<usize, SearchError> {
        while self.ahead.len() < steps {
            match self.pull()? {
                Some(step) => self.ahead.push_back(step),
                None => break,
            }
        }
        Ok(self.ahead.len())
    }

    /// The time that the steps which were looked at are apart, in milliseconds.
    pub(super) fn looked_at(&self) -> u64 {
        let at = |step: Option<&Step>| step.map_or(0, |step| step.place.started_at());
        at(self.ahead.front()).abs_diff(at(self.ahead.back()))
    }

    /// Goes on from this place, where it is ahead.
    pub(super) fn skip(&mut self, place: Place) -> Result<(), SearchError> {
        while let Some(step) = self.ahead.front() {
            if !is_before(self.order, step.place, place) {
                return Ok(());
            }
            self.ahead.pop_front();
        }
        let span = self.span.from(place, self.order);
        for head in &mut self.heads {
            let is_behind = |(at, _)| is_before(self.order, at, place);
            if head.next.is_some_and(is_behind) {
                *head = Head::open(self.table, self.tenant, head.listed, span, self.order)?;
            }
        }
        Ok(())
    }
}

/// Places that the full text found, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) places: Vec<Place>,
    /// Whether these are all of them.
    pub(crate) is_whole: bool,
}

impl Places {
    /// Whether a place is among them; `None` where that is not known.
    pub(super) fn has(&self, place: Place, order: Order) -> Option<bool> {
        let found = match order {
            Order::NewestFirst => self.places.binary_search_by(|held| place.cmp(held)),
            Order::OldestFirst => self.places.binary_search(&place),
        };
        let is_within = self
            .places
            .last()
            .is_some_and(|last| !is_before(order, *last, place));
        (self.is_whole || is_within).then_some(found.is_ok())
    }
}

/// What leads.
pub(super) enum Lead<'t> {
    Lists(Merge<'t>),
    /// Places, and how many of them were taken; briefs come from the list of everything.
    Places(Places, usize, Option<&'t Postings>),
    Times(Range<'static, &'static TimeKey, &'static [u8; 5]>),
}

/// What looking up one posting costs beside passing over it.
const LOOK_UP_WORK: usize = 6;

impl Lead<'_> {
    pub(super) fn next(
        &mut self,
        tenant: TenantId,
        order: Order,
    ) -> Result<Option<Step>, SearchError> {
        match self {
            Self::Lists(merge) => merge.next(),
            Self::Places(places, taken, postings) => {
                let Some(place) = places.places.get(*taken).copied() else {
                    return Ok(None);
                };
                *taken += 1;
                let mut step = Step {
                    place,
                    brief: None,
                    fits: true,
                    work: LOOK_UP_WORK,
                };
                if let Some(postings) = postings {
                    let key = crate::index::search::lists::ListId::ALL.key(tenant, place);
                    let held = postings.get(&key)?;
                    step.brief = held.map(|bytes| Brief::from_bytes(bytes.value()));
                    // What is not in the list of everything is not there.
                    step.fits = step.brief.is_some();
                }
                Ok(Some(step))
            }
            Self::Times(range) => {
                let entry = match order {
                    Order::NewestFirst => range.next_back(),
                    Order::OldestFirst => range.next(),
                };
                let Some(entry) = entry else { return Ok(None) };
                let (_, started_at, id) = split_time(entry?.0.value());
                Ok(Some(Step {
                    place: Place::new(started_at, id.0),
                    brief: None,
                    fits: true,
                    work: 1,
                }))
            }
        }
    }

    /// Whether it has come to its end, where that can be told.
    pub(super) fn is_over(&mut self) -> Result<bool, SearchError> {
        match self {
            Self::Lists(merge) => Ok(merge.peek()?.is_none()),
            Self::Places(places, taken, _) => Ok(places.is_whole && *taken >= places.places.len()),
            Self::Times(_) => Ok(false),
        }
    }
}
