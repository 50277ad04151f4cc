//! What is heard: transport, the last wish, and files that cannot be had.

use super::rig::{Rig, start};
use crate::engine::session::command::Command;

#[test]
fn orders_before_the_player_begins_are_not_lost() {
    let mut rig = Rig::new();
    let uuid = rig.answered();
    rig.start(uuid, "hello", 3_000);
    // The files are not even open.
    rig.command(uuid, Command::PlaybackSeek { by_ms: 1_000 }, "seek")
        .now()
        .unwrap();
    rig.run_ms(100);
    rig.command(uuid, Command::PlaybackPause, "pause")
        .now()
        .unwrap();
    rig.run_ms(400);
    let at = rig.look(uuid).playing.unwrap().offset_ms.0;
    assert!((1_000..=1_150).contains(&at), "{at}");
    rig.run_ms(400);
    assert_eq!(
        rig.look(uuid).playing.unwrap().offset_ms.0,
        at,
        "it is held"
    );
    rig.command(uuid, Command::PlaybackResume, "on")
        .now()
        .unwrap();
    rig.run_ms(200);
    rig.command(uuid, Command::PlaybackStop, "stop")
        .now()
        .unwrap();
    rig.run_ms(100);
    let told = rig.told(uuid);
    assert_eq!(told[told.len() - 2..], ["stop ok", "stopped hello stopped"]);
    let state = rig.disk.lock();
    let data = &state.events[&uuid].last().unwrap().data;
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let (offset, heard) = (&data["offset_ms"], &data["duration_ms"]);
    let between = offset.as_u64().unwrap() - heard.as_u64().unwrap();
    assert!((980..=1_020).contains(&between), "{data}");
}

#[test]
fn the_last_wish_wins_and_what_cannot_be_had_changes_nothing() {
    let mut rig = Rig::new();
    let uuid = rig.answered();
    rig.start(uuid, "first", 10_000);
    rig.run_ms(600);
    rig.command(uuid, start(), "lost").now().unwrap();
    let (key, _) = rig.jobs().remove(0);
    rig.missing(key);
    rig.run_ms(600);
    assert_eq!(
        rig.look(uuid).playing.unwrap().command_uid.as_str(),
        "first"
    );
    rig.command(uuid, start(), "second").now().unwrap();
    let (second, _) = rig.jobs().remove(0);
    rig.run_ms(600);
    rig.command(uuid, Command::PlaybackSilence, "hush")
        .now()
        .unwrap();
    // Files that come too late are not played.
    rig.prepared(second, &[1_000]);
    rig.run_ms(600);
    assert_eq!(
        rig.told(uuid)[3..],
        [
            "playback.started",
            "first ok",
            "playback.file_not_found",
            "lost: a file was not found; playback.file_not_found says which",
            "second: replaced by a later command",
            "stopped second replaced",
            "stopped first replaced",
            "hush ok",
        ]
    );
    assert_eq!(rig.counters.figures().files_not_found, 1);
}

#[test]
fn the_player_may_end_before_it_is_told_to() {
    let mut rig = Rig::new();
    let uuid = rig.answered();
    rig.start(uuid, "short", 40);
    rig.run_ms(300);
    let late = rig.command(uuid, Command::PlaybackStop, "stop").now();
    assert!(late.is_ok());
    assert_eq!(
        rig.told(uuid)[3..],
        [
            "playback.started",
            "short ok",
            "stopped short completed",
            "stop: no playback is active",
        ]
    );
}
