//! Spans and listeners, and what telephone lines tell of themselves, in the words of the wire.

use super::answer::{Answer, Refusal, ok};
use super::convert::word;
use super::serve::Desk;
use super::wire;
use crate::engine::telephony::{ChannelFacts, ListenerFacts, SpanFacts};

pub(super) fn spans(desk: &Desk) -> Result<Answer, Refusal> {
    let engine = &desk.app.engine;
    ok(&wire::Spans {
        items: engine.spans().into_iter().map(span).collect(),
        listeners: engine.listeners().iter().map(listener).collect(),
    })
}

pub(super) fn channel(facts: ChannelFacts) -> wire::Channel {
    wire::Channel {
        number: facts.number,
        span: facts.span,
        role: facts.role.as_ref().map(word),
        signalling: facts.signalling.map(str::to_owned),
        listen: facts.listen.map(|address| address.to_string()),
        phase: facts.phase.map(str::to_owned),
        off_hook: facts.off_hook,
        alarms: owned(&facts.alarms),
        events: facts.events,
        alarms_total: facts.alarms_total,
        slips: facts.slips,
        refused: facts.refused,
        answered: facts.ring_to_answer.total(),
        ring_to_answer_ms: facts.ring_to_answer.sum_ms,
    }
}

fn span(facts: SpanFacts) -> wire::Span {
    wire::Span {
        number: facts.number,
        name: facts.name,
        description: facts.description,
        manufacturer: facts.manufacturer,
        device: facts.device,
        kind: facts.kind,
        alarms: owned(&facts.alarms),
        alarms_total: facts.alarms_total,
        channels: facts.channels,
        configured: facts.configured,
        used: facts.used,
        irq_misses: facts.irq_misses,
        bipolar_violations: facts.bipolar_violations,
        crc4_errors: facts.crc4_errors,
        ebit_errors: facts.ebit_errors,
        frame_errors: facts.frame_errors,
        coding_violations: facts.coding_violations,
        errored_seconds: facts.errored_seconds,
        error: facts.error,
    }
}

fn listener(facts: &ListenerFacts) -> wire::Listener {
    wire::Listener {
        listen: facts.listen.to_string(),
        lines: facts.lines,
        calls: facts.calls,
        busy: facts.busy,
        denied: facts.denied,
        unidentified: facts.unidentified,
    }
}

pub(super) fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
