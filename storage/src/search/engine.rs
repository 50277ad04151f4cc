//! Makes one page: chooses what leads, goes along it, and stops when the page is full or its work
//! is used up.

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable as _};

use super::filter::Filter;
use super::lead::{Lead, Merge, Postings, is_before};
pub(crate) use super::lead::{Places, Span};
use super::{Hit, Order, SearchError, SearchQuery};
use crate::error::ReadError;
use crate::ids::{RecordingId, TenantId};
use crate::index::keeping::{KEEPING, decode_keeping};
use crate::index::keys::{self, RecordingKey, TimeKey};
use crate::index::notes::{Counts, NOTE_COUNTS, count};
use crate::index::search::lists::{ListId, Listed, Place};
use crate::index::search::{Built, POSTINGS};
use crate::index::{Index, tables, values};
use crate::limits::{SEARCH_LISTS_MAX, SEARCH_ROW_WORK};
use crate::record::WallMillis;
use crate::retention::Keeping;

/// Postings of each list that are looked at to tell which list has least.
const PROBE: usize = 24;
/// What opening one list costs beside passing over a posting.
const OPEN_WORK: usize = 8;
/// After so many postings without a hit it is asked where the other lists go on.
const LEAP_EVERY: usize = 1_024;

/// A page that is asked for.
pub(super) struct Asked<'q> {
    pub(super) tenant: TenantId,
    pub(super) query: &'q SearchQuery,
    pub(super) order: Order,
    pub(super) span: Span,
    pub(super) limit: usize,
    pub(super) work: usize,
}

/// A page that was made.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) hits: Vec<Hit>,
    /// The last place that was looked at, where more may follow.
    pub(super) rest: Option<Place>,
}

impl Span {
    /// Where a page of this query may be, after the place that the one before it ended at.
    pub(super) fn of(query: &SearchQuery, order: Order, after: Option<Place>) -> Self {
        let since = query.since.unwrap_or(WallMillis(0));
        let until = query.until.unwrap_or(WallMillis(u64::MAX));
        let span = Self {
            first: Place::new(since, 0),
            last: Place::new(until, u64::MAX),
        };
        match after {
            Some(place) => span.after(place, order),
            None => span,
        }
    }
}

pub(super) fn run(
    index: &Index,
    asked: &Asked<'_>,
    texts: Option<Places>,
) -> Result<Found, SearchError> {
    let is_built = index.search_built()? == Built::Whole;
    if asked.span.is_empty() {
        return Ok(Found::default());
    }
    let reading = index.begin_read()?;
    let postings = tables::rare(&reading, POSTINGS)?;
    let rows = Rows::open(&reading)?;
    let filter = Filter::new(asked.query);
    let mut page = Page {
        asked,
        filter: &filter,
        rows: &rows,
        found: Found::default(),
        work: 0,
    };
    match postings.filter(|_| is_built) {
        Some(postings) => page.by_lists(&postings, texts)?,
        None => {
            let lead = match texts {
                Some(places) => Lead::Places(places, 0, None),
                None => {
                    let times = reading.open_table(tables::BY_TIME)?;
                    let key = |place: Place| time_key(asked.tenant, place);
                    let (first, last) = (key(asked.span.first), key(asked.span.last));
                    Lead::Times(times.range::<&TimeKey>(&first..=&last)?)
                }
            };
            page.along(lead, None, &mut [])?;
        }
    }
    Ok(page.found)
}

fn time_key(tenant: TenantId, place: Place) -> TimeKey {
    let id = RecordingId(place.id());
    keys::by_time(tenant, WallMillis(place.started_at()), id)
}

struct Page<'p> {
    asked: &'p Asked<'p>,
    filter: &'p Filter<'p>,
    rows: &'p Rows,
    found: Found,
    work: usize,
}

impl Page<'_> {
    fn by_lists(&mut self, postings: &Postings, texts: Option<Places>) -> Result<(), SearchError> {
        let asked = self.asked;
        let (tenant, order, span) = (asked.tenant, asked.order, asked.span);
        let mut merges = Vec::new();
        for lists in self.filter.lists() {
            if lists.len() > SEARCH_LISTS_MAX {
                continue;
            }
            self.work += OPEN_WORK * lists.len();
            let mut merge = Merge::open(postings, tenant, &lists, span, order)?;
            self.work += PROBE;
            if merge.look(PROBE)? == 0 {
                // Nothing fits one of the conditions.
                return Ok(());
            }
            merges.push(merge);
        }
        let found = texts.as_ref().map(|texts| texts.places.len());
        if let (Some(places), Some(least)) = (&texts, sparsest(&mut merges)?)
            && merges[least].look(PROBE)? < PROBE
            && found.is_some_and(|found| found > PROBE)
            && places.is_whole
        {
            let lead = Lead::Lists(merges.swap_remove(least));
            return self.along(lead, texts.as_ref(), &mut merges);
        }
        if let Some(places) = texts {
            let lead = Lead::Places(places, 0, Some(postings));
            return self.along(lead, None, &mut merges);
        }
        let all = [Listed::from(ListId::ALL)];
        let mut everything = Merge::open(postings, tenant, &all, span, order)?;
        everything.look(PROBE)?;
        let Some(least) = sparsest(&mut merges)? else {
            return self.along(Lead::Lists(everything), None, &mut []);
        };
        if density(&mut everything)? <= density(&mut merges[least])? {
            return self.along(Lead::Lists(everything), None, &mut merges);
        }
        let lead = Lead::Lists(merges.swap_remove(least));
        self.along(lead, None, &mut merges)
    }

    /// Goes along what leads. `others` are lists that hold every hit too.
    fn along(
        &mut self,
        mut lead: Lead<'_>,
        texts: Option<&Places>,
        others: &mut [Merge<'_>],
    ) -> Result<(), SearchError> {
        let (tenant, order) = (self.asked.tenant, self.asked.order);
        let mut idle = LEAP_EVERY;
        loop {
            if idle >= LEAP_EVERY {
                idle = 0;
                if self.leap(&mut lead, others)? {
                    return Ok(());
                }
            }
            let Some(step) = lead.next(tenant, order)? else {
                // Where the full text knows more than it told, the next page asks for that.
                self.found.rest = match &lead {
                    Lead::Places(places, ..) if !places.is_whole => places.places.last().copied(),
                    _ => None,
                };
                return Ok(());
            };
            self.work += step.work;
            idle += step.work;
            let is_named = match texts.map(|texts| texts.has(step.place, order)) {
                None | Some(Some(true)) => true,
                Some(Some(false)) => false,
                Some(None) => return Ok(()),
            };
            self.found.rest = Some(step.place);
            let may_match = step.brief.is_none_or(|brief| self.filter.may_match(&brief));
            if step.fits && is_named && may_match {
                self.work += SEARCH_ROW_WORK;
                if let Some(hit) = self.rows.hit(tenant, step.place, self.filter)? {
                    self.found.hits.push(hit);
                    idle = 0;
                }
            }
            let is_full = self.found.hits.len() >= self.asked.limit;
            if is_full || self.work >= self.asked.work {
                if lead.is_over()? {
                    self.found.rest = None;
                }
                return Ok(());
            }
        }
    }

    /// Goes on where all lists go on; true when one of them is at its end.
    fn leap(&mut self, lead: &mut Lead<'_>, others: &mut [Merge<'_>]) -> Result<bool, SearchError> {
        let order = self.asked.order;
        let mut at = match lead {
            Lead::Lists(merge) => match merge.peek()? {
                Some(place) => place,
                None => return Ok(false),
            },
            Lead::Places(places, taken, _) => match places.places.get(*taken) {
                Some(place) => *place,
                None => return Ok(false),
            },
            Lead::Times(_) => return Ok(false),
        };
        for other in others.iter_mut() {
            self.work += OPEN_WORK * other.lists();
            other.skip(at)?;
            let Some(place) = other.peek()? else {
                self.found.rest = None;
                return Ok(true);
            };
            if is_before(order, at, place) {
                at = place;
            }
        }
        match lead {
            Lead::Lists(merge) => merge.skip(at)?,
            Lead::Places(places, taken, _) => {
                let rest = &places.places[*taken..];
                *taken += rest.partition_point(|place| is_before(order, *place, at));
            }
            Lead::Times(_) => {}
        }
        Ok(false)
    }
}

/// Which of these has least where the page begins.
fn sparsest(merges: &mut [Merge<'_>]) -> Result<Option<usize>, SearchError> {
    let mut least: Option<(u64, usize)> = None;
    for (at, merge) in merges.iter_mut().enumerate() {
        let density = density(merge)?;
        if least.is_none_or(|(held, _)| density < held) {
            least = Some((density, at));
        }
    }
    Ok(least.map(|(_, at)| at))
}

/// How much there is in a stretch of time, weighed by how many lists are merged for it.
fn density(merge: &mut Merge<'_>) -> Result<u64, SearchError> {
    let steps = merge.look(PROBE)? as u64;
    if steps < PROBE as u64 {
        // All of it was seen.
        return Ok(steps);
    }
    let weight = 16 + merge.lists() as u64;
    let scaled = steps.saturating_mul(weight) << 32;
    Ok(PROBE as u64 + scaled / merge.looked_at().saturating_add(1))
}

/// The tables that decide and tell.
struct Rows {
    rows: ReadOnlyTable<&'static RecordingKey, &'static [u8]>,
    keeping: Option<ReadOnlyTable<&'static RecordingKey, &'static [u8]>>,
    notes: Option<Counts>,
}

impl Rows {
    fn open(reading: &ReadTransaction) -> Result<Self, SearchError> {
        Ok(Self {
            rows: reading.open_table(tables::RECORDINGS)?,
            keeping: tables::rare(reading, KEEPING)?,
            notes: tables::rare(reading, NOTE_COUNTS)?,
        })
    }

    fn hit(
        &self,
        tenant: TenantId,
        place: Place,
        filter: &Filter<'_>,
    ) -> Result<Option<Hit>, SearchError> {
        let id = RecordingId(place.id());
        let key = keys::recording(tenant, id);
        let Some(bytes) = self.rows.get(&key)? else {
            return Ok(None);
        };
        let Ok(row) = values::decode_recording(bytes.value()) else {
            // One bad row must not hide all others: a check tells of it.
            log::error!("{}", ReadError::Row(id));
            return Ok(None);
        };
        let kept = match &self.keeping {
            Some(table) => table.get(&key)?,
            None => None,
        };
        let kept = kept.map(|bytes| decode_keeping(bytes.value()));
        let keeping = match kept {
            None => Keeping::default(),
            Some(Ok(keeping)) => keeping,
            Some(Err(_)) => crate::index::search::unreadable(),
        };
        if Place::of(&row) != place || !filter.matches(&row, &keeping) {
            return Ok(None);
        }
        Ok(Some(Hit {
            recording: row,
            is_held: !keeping.holds.is_empty(),
            tags: keeping.tags,
            notes: count(self.notes.as_ref(), tenant, id)?,
        }))
    }
}
