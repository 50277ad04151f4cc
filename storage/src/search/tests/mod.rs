//! Search against a naive model: whatever is asked, and whatever comes and goes between pages, no
//! recording is shown twice and none that was there all along is missing.

mod model;

use audio_io::units::Millis;
use proptest::prelude::*;

use self::model::{Model, walk};
use super::{NoteWords, SearchError, SearchQuery};
use crate::ids::{RecordingId, Tag};
use crate::index::apply::Change;
use crate::index::rows::RowChange;
use crate::index::tables::meta;
use crate::index::whole;
use crate::ledger::entry::Kind;
use crate::notes::NoteError;
use crate::testing::{Store, a_recording, scratch, sealed};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn it_finds_what_a_naive_model_finds(seed: u64) {
        let mut model = Model::new(seed, 150);
        prop_assert!(model.store.handle.settle_search());
        for turn in 0..60 {
            let query = model.query();
            let shaken = turn % 3 == 2 && query.words.is_none();
            walk(&mut model, &query, shaken);
            if shaken {
                prop_assert!(model.store.handle.settle_search());
            }
        }
        let (wanted, held) = model.store.handle.shared.index.lists_by_rows();
        prop_assert_eq!(wanted, held);
    }

    #[test]
    fn it_is_right_while_the_lists_of_an_older_store_are_made(seed: u64) {
        let mut model = Model::new(seed, 120);
        prop_assert!(model.store.handle.settle_search());
        let index = std::sync::Arc::clone(&model.store.handle.shared.index);
        let transaction = index.begin_write().unwrap();
        whole::named("postings").unwrap().clear(&transaction).unwrap();
        transaction.commit().unwrap();
        // The thread has done its work and does not look at it again before the next start.
        let begin = RowChange::Meta(meta::SEARCH, [&[1_u8][..], &[0; 12]].concat());
        index.commit(&[Change::Rows(vec![begin])]).unwrap();
        for _ in 0..30 {
            let query = model.query();
            walk(&mut model, &query, false);
            model.shake();
            model.add(1);
            prop_assert!(model.store.handle.settle_search());
            let commit = Change::BuildSearch(9);
            model.store.handle.shared.committer.commit(commit).unwrap();
        }
        prop_assert_eq!(model.store.handle.search_progress().unwrap().rows_left, 0);
        let (wanted, held) = index.lists_by_rows();
        prop_assert_eq!(wanted, held);
    }
}

#[test]
fn an_older_store_gets_its_lists_beside_its_work() {
    let model = Model::new(7, 40);
    let index = &model.store.handle.shared.index;
    index
        .commit(&[Change::Rows(vec![RowChange::Meta(meta::SEARCH, vec![0])])])
        .unwrap();
    let store = model.store.reopen();
    assert!(store.handle.settle_search());
    assert_eq!(store.handle.search_progress().unwrap().rows_left, 0);
    let (wanted, held) = store.handle.shared.index.lists_by_rows();
    assert_eq!(wanted, held);
    assert!(wanted.len() > 200);
}

#[test]
fn cursors_are_of_one_search() {
    let mut model = Model::new(3, 60);
    let (handle, tenant) = (&model.store.handle, model.store.tenant);
    let query = SearchQuery::default();
    let page = handle.search(tenant, &query, None, 10).unwrap();
    let next = page.next.unwrap();
    assert!(page.previous.is_none(), "the first page");
    let other = SearchQuery {
        held: Some(false),
        ..SearchQuery::default()
    };
    let refused = |query: &SearchQuery, cursor: &str| {
        let page = handle.search(tenant, query, Some(cursor), 10);
        matches!(page, Err(SearchError::Cursor))
    };
    assert!(refused(&other, &next), "of another search");
    let elsewhere = handle.search(crate::ids::TenantId(77), &query, Some(&next), 10);
    assert!(matches!(elsewhere, Err(SearchError::Cursor)), "tenant");
    for at in 0..next.len() {
        let mut changed = next.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        // The last character has two bits that mean nothing, and must be zero.
        assert!(refused(&query, &changed), "{at}");
    }
    assert!(refused(&query, "") && refused(&query, "\u{0}") && refused(&query, &next[1..]));
    let cursor = handle.search(tenant, &query, Some(&next), 10).unwrap();
    let store = std::mem::replace(&mut model.store, Store::open(scratch()));
    let store = store.reopen();
    let again = store.handle.search(store.tenant, &query, Some(&next), 10);
    assert_eq!(again.unwrap().hits, cursor.hits, "after a restart");
    let foreign = model
        .store
        .handle
        .search(store.tenant, &query, Some(&next), 10);
    assert!(
        matches!(foreign, Err(SearchError::Cursor)),
        "of another store"
    );
}

#[test]
fn notes_are_kept_told_and_found() {
    let store = Store::new();
    let row = store.recorded();
    let (tenant, id, handle) = (store.tenant, row.facts.id, &store.handle);
    let note = handle
        .add_note(tenant, id, Some(Millis(500)), "a\r\nrefund", "ann")
        .unwrap();
    assert_eq!((note.id, note.text.as_str()), (1, "a\nrefund"));
    let found = |words: &str| {
        assert!(handle.settle_search());
        let query = SearchQuery {
            words: Some(NoteWords::new(words).unwrap()),
            ..SearchQuery::default()
        };
        handle.search(tenant, &query, None, 10).unwrap().hits.len()
    };
    assert_eq!((found("refund"), found("other")), (1, 0));
    let edited = handle
        .edit_note(tenant, id, 1, "other words", "bob")
        .unwrap();
    assert_eq!(edited.edited_by.as_deref(), Some("bob"));
    assert_eq!((edited.by.as_str(), edited.at_ms), ("ann", Some(500)));
    assert_eq!((found("refund"), found("other")), (0, 1));
    let text = "y".repeat(16 * 1024 + 1);
    for (text, by, told) in [
        (text.as_str(), "ann", "16384 bytes"),
        (" \n", "ann", "needs a text"),
        ("a\u{1b}[2J", "ann", "control"),
        ("fine", " ", "name"),
    ] {
        let refused = handle.add_note(tenant, id, None, text, by).unwrap_err();
        assert!(refused.to_string().contains(told), "{refused}");
    }
    let late = handle.add_note(tenant, id, Some(Millis(60_000)), "late", "ann");
    assert!(matches!(late, Err(NoteError::BeyondEnd(_))));
    assert!(matches!(
        handle.edit_note(tenant, id, 9, "x", "ann"),
        Err(NoteError::NoNote(_, 9))
    ));
    let second = handle.add_note(tenant, id, None, "second", "ann").unwrap();
    assert_eq!(
        handle.delete_note(tenant, id, second.id, "bob").unwrap(),
        Some(second)
    );
    let third = handle.add_note(tenant, id, None, "third", "ann").unwrap();
    assert_eq!(third.id, 3, "no number is given twice");
    assert_eq!(
        handle.notes_of(tenant, id).unwrap().unwrap(),
        [edited, third]
    );
    let filter = crate::ledger::query::AuditFilter {
        recording: Some(id),
        kinds: vec![Kind::Noted, Kind::NoteEdited, Kind::NoteDeleted],
        ..crate::ledger::query::AuditFilter::default()
    };
    let told = handle.audit(&filter, None, 100).unwrap().entries;
    assert_eq!(told.len(), 5, "{told:?}");
    handle.delete(tenant, id).unwrap();
    assert!(handle.notes_of(tenant, id).unwrap().is_none());
    assert_eq!(found("other"), 0);
    let index = &handle.shared.index;
    assert_eq!(index.note_rows(tenant, id).unwrap(), (Vec::new(), 0));
}

#[test]
fn notes_have_a_maximum_and_names_of_their_own() {
    let store = Store::open(scratch());
    let row = sealed(a_recording(store.tenant.0, 9));
    let (tenant, id, handle) = (store.tenant, row.facts.id, &store.handle);
    handle.load_rows([row]).unwrap();
    let missing = handle.add_note(tenant, RecordingId(8), None, "x", "ann");
    assert!(matches!(missing, Err(NoteError::NotFound(_))));
    for n in 0..crate::limits::NOTES_MAX {
        handle
            .add_note(tenant, id, None, &format!("note {n}"), "ann")
            .unwrap();
    }
    let more = handle.add_note(tenant, id, None, "one more", "ann");
    assert!(matches!(more, Err(NoteError::TooMany(_))));
}

#[test]
fn the_full_text_is_made_again_whatever_became_of_it() {
    let model = Model::new(11, 40);
    assert!(model.store.handle.settle_search());
    let query = SearchQuery {
        words: Some(NoteWords::new("refund").unwrap()),
        ..SearchQuery::default()
    };
    let ask = |store: &Store| {
        assert!(store.handle.settle_search());
        let page = store.handle.search(store.tenant, &query, None, 100);
        page.unwrap().hits
    };
    let hits = ask(&model.store);
    assert!(!hits.is_empty());
    let store = model.store.reopen();
    assert_eq!(ask(&store), hits, "as it was");
    let folder = store.folder.path().join("search");
    let spoilers: [&dyn Fn(); 4] = [
        &|| std::fs::remove_dir_all(&folder).unwrap(),
        &|| std::fs::write(folder.join("meta.json"), b"{").unwrap(),
        &|| {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path
                    .extension()
                    .is_some_and(|one| one == "term" || one == "fast")
                {
                    let bytes = std::fs::read(&path).unwrap();
                    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
                }
            }
        },
        &|| {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path
                    .extension()
                    .is_some_and(|one| one == "pos" || one == "idx")
                {
                    let mut bytes = std::fs::read(&path).unwrap();
                    let at = bytes.len() / 3;
                    bytes[at] ^= 0xFF;
                    std::fs::write(&path, bytes).unwrap();
                }
            }
        },
    ];
    let mut store = store;
    for (n, spoil) in spoilers.iter().enumerate() {
        let folder = store.close();
        spoil();
        store = Store::open(folder);
        assert_eq!(ask(&store), hits, "{n}");
    }
    // An index that came back from before, with the text of later.
    let index = &store.handle.shared.index;
    let high = RowChange::Meta(meta::NOTES_HIGH, 1_u64.to_be_bytes().to_vec());
    index.commit(&[Change::Rows(vec![high])]).unwrap();
    let store = store.reopen();
    assert_eq!(ask(&store), hits);
}

#[test]
fn reindexing_and_backups_keep_notes_and_lists() {
    let store = Store::new();
    let row = store.recorded();
    let (tenant, id) = (store.tenant, row.facts.id);
    let other = store.imported(5);
    let note = store
        .handle
        .add_note(tenant, id, None, "keep this", "ann")
        .unwrap();
    let tag = Tag::new("vip").unwrap();
    store
        .handle
        .add_tags(tenant, id, vec![tag.clone()])
        .unwrap();
    let folder = store.close();
    crate::reindex::reindex(folder.path(), &mut |_, _| ()).unwrap();
    let store = Store::open(folder);
    assert_eq!(store.handle.notes_of(tenant, id).unwrap(), Some(vec![note]));
    assert_eq!(
        store.handle.notes_of(tenant, other.facts.id).unwrap(),
        Some(vec![])
    );
    assert!(store.handle.settle_search());
    let query = SearchQuery {
        words: Some(NoteWords::new("keep").unwrap()),
        tags: vec![tag],
        ..SearchQuery::default()
    };
    let hits = store.handle.search(tenant, &query, None, 10).unwrap().hits;
    assert_eq!(hits.len(), 1);
    let (wanted, held) = store.handle.shared.index.lists_by_rows();
    assert_eq!(wanted, held);
}
