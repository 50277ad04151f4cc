//! The HTML5 `<audio>` element of a real browser plays, seeks and reaches the end of each stored
//! format, through each family's address.

use harness::chromium::{self, Source};
use harness::daemon::Setup;

use crate::families::{Families, RECID, voice_log_path};
use crate::support::{TASK, audio_path};

/// How far from 3 s a length may be: encoders pad, decoders trim.
const SLACK_S: f64 = 0.1;

#[test]
fn chromium_plays_seeks_and_ends_in_every_format_of_every_family() {
    for format in ["wav", "mp3", "m4a", "webm", "ogg"] {
        let setup = Setup::new().http("allowed_origins = [\"*\"]");
        let rig = Families::with(setup, format);
        let base = format!("http://{}", rig.daemon.endpoints().plain);
        let by_header = |path: String, name: &str, value: &str| Source {
            url: format!("{base}{path}"),
            header: Some((name.to_owned(), value.to_owned())),
        };
        let bare = |path: String| Source {
            url: format!("{base}{path}"),
            header: None,
        };
        let sources = [
            bare(format!(
                "/api/v2/PlayAudioFile.php?tsid={}&recid={RECID}",
                rig.tsid
            )),
            bare(rig.link()),
            bare(format!("{}?api_key={}", audio_path(TASK), rig.task_key)),
            by_header(audio_path(TASK), "X-API-Key", &rig.task_key),
            by_header(voice_log_path(format), "Sessionid", &rig.login()),
        ];
        for heard in chromium::play(&sources) {
            let what = format!("{format}: {heard:?}");
            assert!(heard.error.is_none(), "{what}");
            assert!((heard.duration_s - 3.0).abs() < SLACK_S, "{what}");
            assert!(heard.played && heard.ended, "{what}");
            assert!((heard.sought_to_s - 1.8).abs() < SLACK_S, "{what}");
        }
    }
}
