//! A power cut after every single write of the index: what was acknowledged is there, what was
//! delivered does not come back, sequences are whole, and what is there can be worked off.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

use audio_io::clock::ManualClock;

use super::*;
use crate::handle::StorageHandle;
use crate::ids::TenantName;
use crate::io::crash::{Disk, Event as Logged, Log, LoggedIndex, Loss};
use crate::outbox::{DeadCause, SessionNote};
use crate::record::WallMillis;
use crate::testing::{options, scratch};

/// What had been promised when the log was so long.
#[derive(Clone, Default)]
struct Promised {
    /// Ids that must be somewhere.
    there: HashSet<Uuid>,
    /// Ids that must not wait any more.
    gone: HashSet<Uuid>,
    /// The note of session 1 is this, or the one that is being written.
    note: (Option<u8>, Option<u8>),
}

struct Script {
    log: Log,
    outbox: Outbox,
    app: AppKey,
    now: Promised,
    promises: Vec<(usize, Promised)>,
}

impl Script {
    fn promise(&mut self) {
        self.promises.push((self.log.len(), self.now.clone()));
    }

    fn append(&mut self, events: Vec<NewEvent>) {
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        append(&self.outbox, self.app, events);
        self.now.there.extend(ids);
        self.promise();
    }

    /// From here on they may be in either state, from the promise on in the new one.
    fn leaving(&mut self, ids: &[Uuid]) {
        self.now.there.retain(|id| !ids.contains(id));
        self.promise();
    }

    fn deliver(&mut self) {
        let (place, event) = due(&self.outbox, 9).events.remove(0);
        self.leaving(&[event.id]);
        wait(self.outbox.delivered(place)).unwrap();
        self.now.gone.insert(event.id);
        self.promise();
    }

    /// An event, and the note with it: the one is never there without the other.
    fn noted(&mut self, id: u128, note: Option<u8>) {
        self.now.note.1 = note;
        self.promise();
        let change = note.map_or(SessionNote::Drop, |text| SessionNote::Keep(vec![text]));
        let events = vec![event(9, id)];
        let noted = (session(1), change);
        let appended = self.outbox.append_noted(self.app, events, Some(noted));
        appended.unwrap();
        self.now.note.0 = note;
        self.now.there.insert(event(9, id).id);
        self.promise();
    }

    fn live(&mut self) {
        self.append(vec![event(1, 1), event(1, 2), event(2, 3)]);
        self.noted(101, Some(101));
        self.noted(102, Some(102));
        self.noted(103, None);
        self.deliver();
        self.append(vec![event(1, 4), event(3, 5)]);
        let (place, failing) = due(&self.outbox, 9).events.remove(0);
        let later = self.outbox.now().plus(Duration::from_secs(1));
        wait(self.outbox.failed(place, "500", later)).unwrap();
        let (place, dying) = due(&self.outbox, 9).events.remove(0);
        assert_ne!(failing.id, dying.id);
        wait(self.outbox.dead(place, "404", DeadCause::Age)).unwrap();
        self.deliver();
        self.outbox.replay(self.app, &[dying.id]).unwrap();
        self.deliver();
    }
}

fn verify(folder: &Path, promised: &Promised, at: &str) {
    let clock = Arc::new(ManualClock::at(WallMillis(1_763_700_100_000)));
    let (handle, seed, _) =
        StorageHandle::open(options(folder), clock).unwrap_or_else(|error| panic!("{at}: {error}"));
    let outbox = handle.outbox();
    let app = outbox.application(&app_id("crm")).unwrap().key;
    let notes = outbox.noted_sessions().unwrap();
    let note = notes.first().map(|noted| noted.note[0]);
    let either = promised.note;
    assert!(note == either.0 || note == either.1, "{at}: {note:?}");
    let letters = outbox.dead_letters(app, None, 99).unwrap();
    let dead: Vec<_> = letters.iter().map(|(_, one)| one.event.id).collect();
    let replayed = outbox.replay(app, &dead).unwrap();
    assert_eq!(replayed, dead.len() as u64, "{at}");
    let mut seen: BTreeMap<Uuid, Vec<u64>> = BTreeMap::new();
    let mut ids = HashSet::new();
    loop {
        let far = outbox.now().plus(Duration::from_secs(3_600));
        let found = outbox.due(far, 99).unwrap().events;
        if found.is_empty() {
            break;
        }
        for (place, event) in found {
            assert!(ids.insert(event.id), "{at}: {} twice", event.id);
            seen.entry(event.session).or_default().push(event.sequence);
            wait(outbox.delivered(place)).unwrap();
        }
    }
    let lost: Vec<_> = promised.there.difference(&ids).collect();
    assert!(lost.is_empty(), "{at}: {lost:?} lost");
    let back: Vec<_> = promised.gone.intersection(&ids).collect();
    assert!(back.is_empty(), "{at}: {back:?} came back");
    for sequences in seen.values() {
        assert!(sequences.is_sorted(), "{at}: {seen:?}");
    }
    let last = (101..=103).rfind(|id| ids.contains(&event(9, *id).id));
    let with_it = last
        .filter(|id| *id < 103)
        .and_then(|id| u8::try_from(id).ok());
    let delivered = promised.note == (None, None);
    assert!(note == with_it || delivered, "{at}: {note:?}, {last:?}");
    let counts = outbox.counts(app).unwrap();
    assert_eq!((counts.waiting, counts.dead), (0, 0), "{at}");
    drop((handle, seed));
}

#[test]
fn a_power_cut_after_any_write_loses_no_acknowledged_event() {
    let folder = scratch();
    let log = Log::default();
    let opener = LoggedIndex {
        log: log.clone(),
        folder: folder.path().to_owned(),
    };
    let clock = Arc::new(ManualClock::at(WallMillis(1_763_700_000_000)));
    let opened = crate::open::open(&options(folder.path()), clock, Some(Arc::new(opener)));
    let (handle, _seed, _) = opened.unwrap();
    let tenant = handle.add_tenant(TenantName::new("acme").unwrap()).unwrap();
    let outbox = handle.outbox();
    let app = outbox.put_application(tenant.id, &app_id("crm"), settings());
    let begin = log.len();
    let mut disk = Disk::of(folder.path());
    let mut script = Script {
        log: log.clone(),
        outbox,
        app: app.unwrap().key,
        now: Promised::default(),
        promises: Vec::new(),
    };
    script.live();
    let events: Vec<Logged> = log.events();
    assert!(
        events.len() - begin > 40,
        "too short: {}",
        events.len() - begin
    );
    for (number, event) in events.iter().enumerate().skip(begin) {
        disk.step(number, event);
        let kept = script
            .promises
            .iter()
            .rev()
            .find(|(at, _)| *at <= number + 1);
        let promised = kept.map_or_else(Promised::default, |(_, promised)| promised.clone());
        let all = [
            Loss::Nothing,
            Loss::Everything,
            Loss::Some(number as u64 * 7_919),
        ];
        let cut = scratch();
        let loss = all[number % 3];
        disk.materialise(folder.path(), cut.path(), loss);
        verify(cut.path(), &promised, &format!("after {number}, {loss:?}"));
    }
}
