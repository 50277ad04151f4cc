//! How many channels one core records without losing a frame: real time, everything pinned to one
//! core, more channels step by step until a frame is lost.

use serde_json::Value;

use crate::args::Options;
use crate::commands::find;
use crate::error::Failure;
use crate::machine::Cores;
use crate::out;
use crate::ranges::scratch;
use crate::report::{Goal, Report, Row};
use crate::simulate::{self, Job};

const STEPS: &[u64] = &[
    500, 1_000, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000, 6_000, 8_000,
];
const STEPS_QUICK: &[u64] = &[20, 40];

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    let (steps, seconds) = if options.quick {
        (STEPS_QUICK, 2)
    } else {
        (STEPS, 10)
    };
    let mut report = Report {
        name: "channels",
        ..Report::default()
    };
    let mut clean = 0;
    for &channels in steps {
        out::progress(&format!("{channels} channels for {seconds} s"));
        let store = dir.path().join("store");
        simulate::fresh(&store)?;
        let job = Job {
            dir: store,
            channels,
            seconds,
            metered: false,
        };
        let said = match simulate::in_child(&job, cores.server) {
            Ok(said) => said,
            // More than the store allows to be open at once is an end, too.
            Err(failure) => {
                report.notes.push(format!("{channels} channels: {failure}"));
                break;
            }
        };
        report.notes.push(format!(
            "{channels} channels: {}",
            summary(&said, channels, seconds)
        ));
        if count(&said, "lost_frames") > 0 || count(&said, "failures") > 0 {
            break;
        }
        clean = channels;
    }
    out::progress_end();
    #[allow(clippy::cast_precision_loss, reason = "thousands of channels")]
    report.rows.push(Row {
        what: "channels on one core without a lost frame".into(),
        unit: "channels",
        goal: Goal::Reach {
            least: 2_000.0,
            aim: 5_000.0,
        },
        ours: vec![clean as f64],
        peers: Vec::new(),
    });
    Ok(report)
}

fn count(said: &Value, name: &str) -> u64 {
    find(said, name).and_then(Value::as_u64).unwrap_or(0)
}

#[allow(clippy::cast_precision_loss, reason = "small figures")]
fn summary(said: &Value, channels: u64, seconds: u64) -> String {
    let cpu = find(said, "cpu_written_s")
        .and_then(Value::as_f64)
        .unwrap_or(0.0);
    let sync_ms = find(said, "journal_sync_mean_ms")
        .and_then(Value::as_f64)
        .unwrap_or(0.0);
    format!(
        "{} frames lost (producer late {}, rings full {}, disk behind {}), {:.0} % of the core, \
         {} of {channels} sealed, at most {} blocks waiting, \
         producer at most {:.1} ms late, journal sync {sync_ms:.1} ms in the mean",
        count(said, "lost_frames"),
        count(said, "late_frames"),
        count(said, "ring_full_frames"),
        count(said, "behind_frames"),
        cpu / seconds as f64 * 100.0,
        count(said, "stored"),
        count(said, "ring_depth_max"),
        count(said, "late_us_max") as f64 / 1e3,
    )
}
