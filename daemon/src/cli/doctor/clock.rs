//! The clock: recordings are named by it, and certificates are judged by it.

use audio_io::units::WallMillis;

use super::finding::Finding;
use super::scene::Scene;
use crate::cli::exit::Exit;
use crate::material::{EARLIEST, inspect};

/// A battery's clock this far from the system's is told: 1 hour.
const APART_S: u64 = 3_600;

#[derive(Clone, Copy, Debug)]
struct Facts {
    now: WallMillis,
    synchronised: Option<bool>,
    /// What the clock with the battery shows, in seconds; none where there is no such clock.
    battery_s: Option<u64>,
}

pub(super) fn look(scene: &Scene) -> Vec<Finding> {
    let battery = std::fs::read_to_string("/sys/class/rtc/rtc0/since_epoch");
    judge(Facts {
        now: scene.clock.wall(),
        synchronised: scene.clock.kept().synchronised,
        battery_s: battery.ok().and_then(|text| text.trim().parse().ok()),
    })
}

fn judge(facts: Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let today = inspect::day(facts.now);
    findings.push(if facts.now < EARLIEST {
        Finding::problem(
            Exit::Failed,
            "clock",
            "date",
            format!("this machine believes it is {today}: recordings would get wrong dates"),
            "'timedatectl set-time \"YYYY-MM-DD HH:MM:SS\"' (UTC or local as timedatectl shows), \
             then 'timedatectl set-ntp true' where a time server can be reached",
        )
    } else {
        Finding::ok("clock", "date", format!("it is {today} (UTC)"))
    });
    match facts.synchronised {
        Some(true) => findings.push(Finding::ok("clock", "synchronisation", "is kept right")),
        Some(false) => findings.push(Finding::warning(
            "clock",
            "synchronisation",
            "nobody keeps the clock right: it drifts by seconds a day",
            "'timedatectl set-ntp true', or install chrony; without a network set it by hand now \
             and then",
        )),
        None => {}
    }
    match facts.battery_s {
        None => findings.push(Finding::warning(
            "clock",
            "battery",
            "there is no clock with a battery: after a power cut the time is wrong until a time \
             server answers",
            "add one ('dtoverlay=i2c-rtc' on small boards), or let a time server be reachable",
        )),
        Some(battery) if battery.abs_diff(facts.now.0 / 1_000) > APART_S => {
            findings.push(Finding::warning(
                "clock",
                "battery",
                format!(
                    "the clock with the battery shows {}: after a restart this is the time",
                    inspect::day(WallMillis(battery.saturating_mul(1_000)))
                ),
                "'hwclock --systohc', once the system's time is right",
            ));
        }
        Some(_) => findings.push(Finding::ok("clock", "battery", "agrees")),
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::{State, worst};
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_a_problem_and_the_rest_are_warnings() {
        let fine = Facts {
            now: WallMillis(1_795_000_000_000),
            synchronised: Some(true),
            battery_s: Some(1_795_000_010),
        };
        assert!(judge(fine).iter().all(|found| found.state == State::Ok));
        let never = Facts {
            now: WallMillis(5_000),
            ..fine
        };
        let found = judge(never);
        assert_eq!(worst(&found), Exit::Failed);
        assert!(found[0].says.contains("1970-01-01"), "{found:?}");
        let drifting = Facts {
            synchronised: Some(false),
            battery_s: None,
            ..fine
        };
        let found = judge(drifting);
        assert_eq!(worst(&found), Exit::Ok);
        let warned = found.iter().filter(|found| found.state == State::Warning);
        assert_eq!(warned.count(), 2);
    }
}
