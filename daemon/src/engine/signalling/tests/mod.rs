//! The machine by hand, by recorded traces and by chance.

mod em;
mod fxo;
mod outward;
mod property;
mod station;
mod traces;

use storage::ids::Number;

use super::*;

/// A machine, its time, and what it wants, in words.
struct Bench {
    machine: Signalling,
    now: Duration,
}

fn options() -> Options {
    Options {
        caller_id: None,
        ring_timeout: Duration::from_secs(8),
        hears_tones: true,
        answer_after_rings: 0,
        is_tap: false,
    }
}

impl Bench {
    /// An open channel.
    fn new(kind: HookKind, options: Options) -> Self {
        let mut bench = Self {
            machine: Signalling::new(options),
            now: Duration::from_secs(100),
        };
        assert_eq!(bench.open(kind, false, 0), [""; 0]);
        bench
    }

    fn open(&mut self, kind: HookKind, off_hook: bool, alarms: u32) -> Vec<String> {
        self.event(ChannelEvent::Opened {
            kind,
            off_hook,
            alarms,
        })
    }

    fn event(&mut self, event: ChannelEvent) -> Vec<String> {
        in_words(&self.machine.event(self.now, event))
    }

    fn heard(&mut self, tone: Tone) -> Vec<String> {
        in_words(&self.machine.heard(self.now, tone))
    }

    fn caller_id(&mut self, number: &str) -> Vec<String> {
        in_words(&self.machine.caller_id(self.now, from(number)))
    }

    fn answer(&mut self) -> Vec<String> {
        in_words(&self.machine.answer(self.now))
    }

    fn hang_up(&mut self) -> Vec<String> {
        in_words(&self.machine.hang_up(self.now))
    }

    /// A call outwards.
    fn call(&mut self, number: Option<&str>) -> Vec<String> {
        self.machine.attach().expect("a free line");
        in_words(&self.machine.place(self.now, number))
    }

    /// Lets time pass, in steps of the recorder thread's.
    fn run(&mut self, ms: u64) -> Vec<String> {
        let mut steps = Vec::new();
        for _ in 0..ms / 20 {
            self.now += Duration::from_millis(20);
            steps.extend(self.machine.pass(self.now));
        }
        in_words(&steps)
    }
}

fn from(number: &str) -> Parties {
    Parties {
        from: Some(Number::new(number).expect("a number")),
        to: None,
    }
}

fn in_words(steps: &[Step]) -> Vec<String> {
    steps.iter().map(word).collect()
}

fn word(step: &Step) -> String {
    match step {
        Step::Order(ChannelOrder::Dial(digits)) => format!("dial {digits}"),
        Step::Order(order) => format!("{order:?}"),
        Step::Tell(Tell::Answered) => "answered".into(),
        Step::Tell(Tell::Ended(cause)) => format!("ended {}", cause.as_str()),
        Step::Tell(Tell::Began(began)) => {
            let what = if began.ringing { "rings" } else { "began" };
            let from = began.parties.from.as_ref();
            let from = from.map_or(String::new(), |number| format!(" from {number}"));
            let name = began.uuid.map_or(String::new(), |uuid| {
                format!(" as {}", uuid::Uuid::from_bytes(uuid))
            });
            format!("{what}{from}{name}")
        }
    }
}
