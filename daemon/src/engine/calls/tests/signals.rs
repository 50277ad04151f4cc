//! Calls on lines that signal: the line is answered, called out on and hung up, and says so.

use super::super::OpenCallError;
use super::super::link::{LineNews, LineOrder};
use super::rig::{PHONE, Rig, TENANT};
use crate::engine::line::Parties;
use crate::engine::session::CallState;
use crate::engine::session::command::{Command, HangupCause};
use crate::engine::signalling::Cause;

fn ended(cause: Cause) -> LineNews {
    let cause = cause.into();
    LineNews::CallEnded { cause }
}

fn hangup() -> Command {
    Command::Hangup {
        cause: HangupCause::default(),
    }
}

#[test]
fn a_call_that_rings_is_answered_once_the_line_says_so() {
    let mut rig = Rig::new();
    let uuid = rig.ring();
    assert_eq!(rig.look(uuid).snapshot.state, CallState::Ringing);
    assert_eq!(rig.look(uuid).caller_id.as_deref(), Some("5550001"));
    assert!(rig.orders.is_empty());
    rig.command(uuid, Command::Answer, "take").now().unwrap();
    assert!(matches!(&rig.orders[..],
        [(PHONE, LineOrder::Answer { session })] if *session == uuid));
    assert_eq!(rig.told(uuid), ["call.new"]);
    rig.news(PHONE, uuid, LineNews::Answered);
    rig.news(PHONE, uuid, ended(Cause::NormalClearing));
    let expected = [
        "call.new",
        "call.answered",
        "take ok",
        "call.hangup NORMAL_CLEARING line",
    ];
    assert_eq!(rig.told(uuid), expected);
}

#[test]
fn a_caller_who_gives_up_leaves_the_answer_undone() {
    let mut rig = Rig::new();
    let uuid = rig.ring();
    rig.command(uuid, Command::Answer, "take").now().unwrap();
    rig.news(PHONE, uuid, ended(Cause::OriginatorCancel));
    rig.news(PHONE, uuid, LineNews::Answered);
    let told = rig.told(uuid);
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[2], "call.hangup ORIGINATOR_CANCEL line");
    assert!(told[1].starts_with("take: "), "{told:?}");
}

#[test]
fn a_call_outwards_is_announced_and_then_made() {
    let mut rig = Rig::new();
    let call = rig.try_call(TENANT, "phone", Some("123")).now().unwrap();
    let uuid = call.uuid;
    let [(PHONE, LineOrder::Attach { session: first, .. }), second] = &rig.orders[..] else {
        panic!("{:?}", rig.orders);
    };
    assert_eq!(*first, uuid);
    let (PHONE, LineOrder::Place { session, number }) = second else {
        panic!("{second:?}");
    };
    assert_eq!((*session, number.as_deref()), (uuid, Some("123")));
    assert_eq!(rig.told(uuid), ["call.new"]);
    rig.news(PHONE, uuid, LineNews::Answered);
    rig.orders.clear();
    rig.command(uuid, hangup(), "bye").now().unwrap();
    assert!(matches!(
        &rig.orders[..],
        [(PHONE, LineOrder::Detach { .. })]
    ));
    let told = rig.told(uuid);
    let end = "call.hangup NORMAL_CLEARING command";
    assert_eq!(told, ["call.new", "call.answered", "bye ok", end]);
}

#[test]
fn what_takes_calls_only_is_not_called_out_on() {
    let mut rig = Rig::new();
    let refused = rig.try_open(TENANT, "tap").now().unwrap_err();
    let line = storage::ids::LineName::new("tap").unwrap();
    assert_eq!(refused, OpenCallError::InwardOnly(line));
    let session = rig.ring();
    let refused = rig.try_open(TENANT, "phone").now().unwrap_err();
    let line = storage::ids::LineName::new("phone").unwrap();
    assert_eq!(refused, OpenCallError::Busy { line, session });
}

#[test]
fn a_call_outwards_gives_way_to_one_that_comes_in_at_the_same_moment() {
    let mut rig = Rig::new();
    let ours = rig.try_open(TENANT, "phone").now().unwrap().uuid;
    let theirs = rig.ring();
    rig.news(PHONE, ours, ended(Cause::RequestedChanUnavail));
    let end = "call.hangup REQUESTED_CHAN_UNAVAIL line";
    assert_eq!(rig.told(ours), ["call.new", end]);
    assert_eq!(rig.told(theirs), ["call.new"]);
    let (number, last) = rig.orders.last().unwrap();
    assert!(matches!(last, LineOrder::Detach { session } if *session == ours));
    assert_eq!(*number, PHONE);
    assert_eq!(rig.look(theirs).snapshot.state, CallState::Ringing);
}

#[test]
fn a_name_that_is_known_is_dropped_by_its_line() {
    let mut rig = Rig::new();
    let uuid = rig.ring();
    let parties = Parties::default();
    let ringing = false;
    rig.news(PHONE, uuid, LineNews::CallBegan { parties, ringing });
    assert!(matches!(
        &rig.orders[..],
        [(PHONE, LineOrder::Detach { .. })]
    ));
    assert_eq!(rig.told(uuid), ["call.new"]);
}

#[test]
fn a_call_that_rang_when_the_daemon_died_is_ended_by_the_next_start() {
    let mut rig = Rig::new();
    let uuid = rig.ring();
    rig.command(uuid, Command::Answer, "take").now().unwrap();
    let disk = rig.disk.clone();
    drop(rig);
    let rig = Rig::on(disk);
    let told = rig.told(uuid);
    assert_eq!(told.first().unwrap(), "call.new");
    assert!(told[1].starts_with("take: "), "{told:?}");
    assert_eq!(told[2..], ["call.hangup CRASH line"]);
}
