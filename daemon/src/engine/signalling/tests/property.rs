//! Whatever comes in whatever order: each call is told to have begun and to have ended once, none
//! is answered after its end, a line without a call is on hook, and a channel that is gone is
//! ordered nothing.

use proptest::prelude::*;

use super::*;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Happening {
    Event(ChannelEvent),
    CallerId,
    Heard(Tone),
    /// The application answers, if it knows of a call.
    Answer,
    HangUp,
    Attach,
    /// The order that follows it.
    Place(Option<&'static str>),
    Pass(u64),
}

const KINDS: [HookKind; 6] = [
    HookKind::Fxo,
    HookKind::Fxs,
    HookKind::Em,
    HookKind::Cas,
    HookKind::Clear,
    HookKind::Socket,
];

fn event() -> impl Strategy<Value = ChannelEvent> {
    let order = prop_oneof![
        Just(RefusedOrder::OffHook),
        Just(RefusedOrder::OnHook),
        Just(RefusedOrder::Ring),
        Just(RefusedOrder::Dial),
        Just(RefusedOrder::Other),
    ];
    let opened = (
        0..KINDS.len(),
        any::<bool>(),
        prop_oneof![3 => Just(0), 1 => Just(8)],
    );
    prop_oneof![
        4 => Just(ChannelEvent::RingBegin),
        6 => Just(ChannelEvent::Ring),
        10 => Just(ChannelEvent::OffHook),
        8 => Just(ChannelEvent::OnHook),
        2 => Just(ChannelEvent::WinkFlash),
        2 => Just(ChannelEvent::Polarity),
        1 => Just(ChannelEvent::Alarm { alarms: 8 }),
        1 => Just(ChannelEvent::Alarm { alarms: 0 }),
        2 => Just(ChannelEvent::AlarmOver),
        3 => Just(ChannelEvent::DialComplete),
        1 => Just(ChannelEvent::HookComplete),
        1 => Just(ChannelEvent::Digit('5')),
        3 => any::<[u8; 16]>().prop_map(|uuid| ChannelEvent::Connected { uuid }),
        3 => any::<bool>().prop_map(|orderly| ChannelEvent::Disconnected { orderly }),
        2 => order.prop_map(|order| ChannelEvent::Refused { order, errno: 16 }),
        1 => Just(ChannelEvent::Gone { errno: 19 }),
        1 => opened.prop_map(|(kind, off_hook, alarms)| ChannelEvent::Opened {
            kind: KINDS[kind],
            off_hook,
            alarms,
        }),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    let tone = prop_oneof![Just(Tone::Dial), Just(Tone::Busy), Just(Tone::Congestion)];
    let number = prop_oneof![Just(None), Just(Some("12")), Just(Some("nonsense"))];
    let pause = prop_oneof![0..200_u64, 200..4_000_u64, 4_000..70_000_u64];
    prop_oneof![
        30 => event().prop_map(Happening::Event),
        3 => Just(Happening::CallerId),
        3 => tone.prop_map(Happening::Heard),
        5 => Just(Happening::Answer),
        3 => Just(Happening::HangUp),
        5 => Just(Happening::Attach),
        6 => number.prop_map(Happening::Place),
        12 => pause.prop_map(Happening::Pass),
    ]
}

/// The channel and the application as they see it.
#[derive(Debug, Default)]
struct Model {
    is_open: bool,
    is_socket: bool,
    is_off_hook: bool,
    is_ringing: bool,
    /// Whether the call is answered.
    call: Option<bool>,
}

impl Model {
    fn take(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Order(order) => {
                    assert!(self.is_open, "{order:?} of a channel that is gone");
                    self.order(order);
                }
                Step::Tell(Tell::Began(began)) => {
                    assert_eq!(self.call, None, "two calls at once");
                    self.call = Some(!began.ringing);
                }
                Step::Tell(Tell::Answered) => {
                    assert_eq!(self.call, Some(false), "an answer without a call");
                    self.call = Some(true);
                }
                Step::Tell(Tell::Ended(_)) => {
                    assert!(self.call.take().is_some(), "an end without a call");
                }
            }
        }
        if self.call.is_none() {
            assert!(!self.is_off_hook, "off hook without a call");
            assert!(!self.is_ringing, "ringing without a call");
        }
    }

    fn order(&mut self, order: &ChannelOrder) {
        match order {
            ChannelOrder::OffHook => {
                assert!(!self.is_socket);
                (self.is_off_hook, self.is_ringing) = (true, false);
            }
            ChannelOrder::OnHook => (self.is_off_hook, self.is_ringing) = (false, false),
            ChannelOrder::Ring => {
                assert!(!self.is_off_hook, "a telephone in a call is rung");
                self.is_ringing = true;
            }
            ChannelOrder::RingOff => self.is_ringing = false,
            ChannelOrder::Dial(_) => assert!(self.is_off_hook, "dialled on hook"),
            ChannelOrder::StopDial => {}
            other => panic!("{other:?}"),
        }
    }

    /// What is known of the channel before the machine hears of it.
    fn see(&mut self, event: ChannelEvent) {
        match event {
            ChannelEvent::Opened { kind, .. } => {
                *self = Self {
                    is_open: true,
                    is_socket: kind == HookKind::Socket,
                    call: self.call,
                    ..Self::default()
                };
            }
            ChannelEvent::Gone { .. } => {
                (self.is_open, self.is_off_hook, self.is_ringing) = (false, false, false);
            }
            _ => {}
        }
    }
}

fn play(options: Options, happenings: Vec<Happening>) {
    let is_tap = options.is_tap;
    let mut machine = Signalling::new(options);
    let (mut model, mut now) = (Model::default(), Duration::ZERO);
    for happening in happenings {
        let steps = match happening {
            Happening::Event(event) => {
                model.see(event);
                machine.event(now, event)
            }
            Happening::CallerId => machine.caller_id(now, from("5550001")),
            Happening::Heard(tone) => machine.heard(now, tone),
            Happening::Answer if model.call.is_some() => machine.answer(now),
            Happening::HangUp if model.call.is_some() => {
                model.call = None;
                machine.hang_up(now)
            }
            Happening::Attach if model.call.is_none() => {
                if machine.attach().is_ok() {
                    model.call = Some(false);
                }
                Vec::new()
            }
            Happening::Place(number) if model.call.is_some() => machine.place(now, number),
            Happening::Pass(ms) => {
                now += Duration::from_millis(ms);
                machine.pass(now)
            }
            _ => continue,
        };
        if is_tap {
            let orders = |step: &Step| matches!(step, Step::Order(_));
            assert!(!steps.iter().any(orders), "a tap gives orders");
        }
        model.take(&steps);
    }
    model.call = None;
    model.take(&machine.hang_up(now));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn every_order_of_events(
        kind in 0..KINDS.len(),
        caller_id in prop::option::of((0..4_000_u64).prop_map(Duration::from_millis)),
        answer_after_rings in 0..3_u32,
        (hears_tones, is_tap) in (any::<bool>(), prop::bool::weighted(0.1)),
        happenings in prop::collection::vec(happening(), 0..60),
    ) {
        let options = Options {
            caller_id,
            answer_after_rings,
            hears_tones,
            is_tap,
            ..options()
        };
        let opened = ChannelEvent::Opened { kind: KINDS[kind], off_hook: false, alarms: 0 };
        let first = std::iter::once(Happening::Event(opened));
        play(options, first.chain(happenings).collect());
    }
}
