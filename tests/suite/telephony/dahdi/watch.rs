//! `[line.watch]`: a line that is silent, or busy, for too long is told, once, and when it is over.

use harness::sound;

use super::rig::Card;

fn has(card: &Card, name: &str, alarm: &str, is_there: bool) {
    card.wait_for_line(name, &format!("{alarm}: {is_there}"), |line| {
        let alarms = line["alarms"].as_array().expect("alarms");
        alarms.iter().any(|known| known == alarm) == is_there
    });
}

#[test]
fn a_silent_line_is_told_until_somebody_speaks() {
    let card = Card::trunk("trigger = \"always\"\n[line.watch]\nsilent_after_s = 2");
    has(&card, "trunk", "silent", true);
    assert!(card.daemon.log().contains("silent"), "the log tells it");
    let status = card.daemon.json(&["status"]);
    assert_eq!(status["lines"]["alarms"], 1, "{status}");
    card.double
        .channel(1)
        .feed_samples(&sound::rustle(5.0, 8_000, 95));
    has(&card, "trunk", "silent", false);
}

#[test]
fn a_line_that_is_never_quiet_is_told() {
    let card = Card::trunk("trigger = \"always\"\n[line.watch]\nactive_after_s = 2");
    card.double
        .channel(1)
        .feed_samples(&sound::rustle(6.0, 8_000, 96));
    has(&card, "trunk", "active", true);
    has(&card, "trunk", "active", false);
}
