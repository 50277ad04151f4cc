//! What `/metrics` tells of the wall clock.

use std::sync::atomic::Ordering;

use audio_io::clock::Kept;

use super::metrics::HttpMetrics;
use super::metrics_text::Text;

pub(super) fn render(text: &mut Text, kept: Kept, http: &HttpMetrics) {
    let name = "callreel_clock_steps_total";
    text.head(
        name,
        "counter",
        "Times the wall clock was set to another time, by direction.",
    );
    for (direction, count) in [
        ("forward", &http.clock_steps_forward),
        ("back", &http.clock_steps_back),
    ] {
        let labels = format!("{{direction=\"{direction}\"}}");
        text.sample(name, &labels, count.load(Ordering::Relaxed));
    }
    if let Some(synchronised) = kept.synchronised {
        text.one(
            "callreel_clock_synchronised",
            "gauge",
            "Whether somebody keeps the wall clock right.",
            u64::from(synchronised),
        );
    }
    if let Some(error) = kept.max_error {
        text.one(
            "callreel_clock_max_error_milliseconds",
            "gauge",
            "How far the wall clock may be wrong at most.",
            error.0,
        );
    }
}

#[cfg(test)]
mod tests {
    use audio_io::units::Millis;

    use super::*;

    #[test]
    fn what_is_not_known_is_not_told() {
        let http = HttpMetrics::new();
        http.clock_steps_back.fetch_add(2, Ordering::Relaxed);
        let told = |kept| {
            let mut text = Text::default();
            render(&mut text, kept, &http);
            text.into_string()
        };
        let unknown = told(Kept::default());
        assert!(unknown.contains("callreel_clock_steps_total{direction=\"back\"} 2\n"));
        assert!(unknown.contains("callreel_clock_steps_total{direction=\"forward\"} 0\n"));
        assert!(!unknown.contains("synchronised") && !unknown.contains("max_error"));
        let right = told(Kept {
            synchronised: Some(true),
            max_error: Some(Millis(12)),
            stepped: false,
        });
        assert!(right.contains("callreel_clock_synchronised 1\n"));
        assert!(right.contains("callreel_clock_max_error_milliseconds 12\n"));
    }
}
