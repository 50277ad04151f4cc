//! A daemon with channels of a card, and the far end of them.

use std::ops::Deref;

use audio_io::dahdi::abi;
use harness::daemon::Setup;
use harness::dahdi::{DahdiDouble, SpanSpec, Spec};
use harness::wait;
use serde_json::Value;

use crate::calls::rig::{Call, Office, with_applications};
use crate::support;

/// Samples in a millisecond.
pub(crate) const PER_MS: usize = 8;

/// The daemon, its application, and the card.
pub(crate) struct Card {
    // Ends before the files go that it has open.
    office: Office,
    pub(crate) double: DahdiDouble,
}

impl Deref for Card {
    type Target = Office;

    fn deref(&self) -> &Office {
        &self.office
    }
}

impl Card {
    /// With lines of these tables on a card like this.
    pub(crate) fn start(spec: &Spec, lines: &[(&str, &str)]) -> Self {
        Self::on(DahdiDouble::start(spec), lines)
    }

    /// With lines of these tables on this card.
    pub(crate) fn on(double: DahdiDouble, lines: &[(&str, &str)]) -> Self {
        let folder = format!("[dahdi]\nfolder = \"{}\"\n", double.folder().display());
        let mut setup = with_applications(Setup::new()).toml(&folder);
        for (name, rest) in lines {
            setup = setup.line(name, &format!("pre_roll_ms = 0\n{rest}"));
        }
        let office = Office::start(setup);
        Self { office, double }
    }

    /// With one FXO port, which is the line `trunk` on channel 1; `rest` is more of its table.
    pub(crate) fn trunk(rest: &str) -> Self {
        let spec = Spec::new(vec![SpanSpec::new("FXO", 1, abi::SIG_FXSKS)]);
        let card = Self::start(&spec, &[("trunk", &format!("dahdi = \"1\"\n{rest}"))]);
        card.wait_for_lines();
        card
    }

    /// With one FXS port, which is the line `desk` on channel 1.
    pub(crate) fn station(rest: &str) -> Self {
        let spec = Spec::new(vec![SpanSpec::new("FXS", 1, abi::SIG_FXOKS)]);
        let table = format!("dahdi = \"1\"\nrole = \"station\"\n{rest}");
        let card = Self::start(&spec, &[("desk", &table)]);
        card.wait_for_lines();
        card
    }

    /// Lets time pass, by the card's clock.
    pub(crate) fn pass(&self, ms: u64) {
        let until = self.double.samples() + ms * PER_MS as u64;
        wait::until("the card's clock", || {
            (self.double.samples() >= until).then_some(())
        });
    }

    /// One ring on a channel.
    pub(crate) fn ring(&self, channel: u32) {
        self.double.channel(channel).ring_begins();
        self.pass(400);
        self.double.channel(channel).ring_ends();
    }

    /// Says something into a channel from its far end, and waits until it has come in.
    pub(crate) fn say(&self, channel: u32, samples: &[i16]) {
        let line = self.double.channel(channel);
        line.feed_samples(samples);
        wait::until("what is said", || (line.unheard() == 0).then_some(()));
    }

    /// The call that begins next after so many events of the application.
    pub(crate) fn new_call(&self, seen: usize) -> Call<'_> {
        let uuid = wait::until("a call", || {
            let new = self.receiver.accepted().into_iter().skip(seen);
            let mut new = new.filter(|event| event.event == "call.new");
            new.next().map(|event| event.session)
        });
        Call::of(&self.office, uuid)
    }

    /// Events that the application has heard so far.
    pub(crate) fn seen(&self) -> usize {
        self.receiver.accepted().len()
    }

    /// A call that rings once and is answered by command.
    pub(crate) fn answered(&self) -> Call<'_> {
        let seen = self.seen();
        self.ring(1);
        let call = self.new_call(seen);
        let _ = call.run("answer", &serde_json::json!({}));
        let _ = call.wait("call.answered");
        call
    }

    /// What `callreel lines` says of a line.
    pub(crate) fn line(&self, name: &str) -> Value {
        let lines = self.daemon.json(&["lines"]);
        let items = lines["items"].as_array().expect("lines");
        let found = items.iter().find(|line| line["name"] == name);
        found
            .unwrap_or_else(|| panic!("no line {name} in {lines}"))
            .clone()
    }

    /// Waits until a line is as wanted.
    pub(crate) fn wait_for_line(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) {
        wait::until(what, || wanted(&self.line(name)).then_some(()));
    }

    /// The recording that the line's trigger began, as its application names it.
    pub(crate) fn own_recording(&self, call: &Call<'_>) -> String {
        support::word(&call.wait("recording.started"), "command_uid")
    }
}
