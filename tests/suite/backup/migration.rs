//! A store that an earlier version wrote, opened by this one: a copy of its index is there before
//! it is changed, and puts everything back as it was.

use redb::{Database, TableDefinition};

use super::*;

const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");

fn make_schema(data: &Path, schema: u32) {
    let database = Database::open(data.join("index.redb")).expect("an index");
    let change = database.begin_write().expect("a change");
    {
        let mut meta = change.open_table(META).expect("meta");
        let schema = schema.to_be_bytes();
        let _ = meta.insert("schema", schema.as_slice()).expect("a row");
    }
    change.commit().expect("it is durable");
}

fn copies(data: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(data.join("backups"));
    let entries = listed.into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[test]
fn an_older_store_is_copied_migrated_and_goes_back() {
    let mut daemon = live::daemon_with_line("trigger = \"api\"\npre_roll_ms = 0");
    let _ = support::noise_recording(&daemon, TASK, 30_000);
    let key = support::key(&daemon);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_for_end(), 0);
    let data = daemon.data();
    make_schema(&data, 2);
    daemon.start();
    assert_eq!(status(&daemon, &key), 200);
    let made = copies(&data);
    let [copy] = &made[..] else {
        panic!("{made:?}")
    };
    assert!(path_text(copy).contains("index-schema2-"), "{copy:?}");
    let (task, recid) = live::start(&daemon);
    let (_, _) = live::snapshot(&daemon, &task, &key, 8_000);
    let _ = daemon.json(&["record", "stop", &recid]);
    let _ = live::stored(&daemon, &recid);

    let (config, copy) = (path_text(daemon.config()), path_text(copy));
    let back = [
        "--config",
        &config,
        "restore",
        "--index-backup",
        &copy,
        "--yes",
    ];
    assert_eq!(daemon.cli(&back).failure().code, 6, "it runs");
    daemon.kill();
    let _ = daemon.cli(&back).success();
    // What the earlier version does then; this one stands in for it.
    let folder = path_text(&data);
    let _ = daemon.cli(&["reindex", "--data-dir", &folder]).success();
    daemon.start();
    assert_eq!(status(&daemon, &key), 200);
    let since = daemon.ask(&support::get_audio(&task, &key));
    assert_eq!(since.status, 200, "what was recorded since");

    daemon.kill();
    make_schema(&data, 99);
    let config = path_text(daemon.config());
    let refused = harness::cli::run("callreeld", &["--config", &config], &[]).failure();
    assert!(
        refused.stderr.contains("index-schema2-"),
        "{}",
        refused.stderr
    );
}
