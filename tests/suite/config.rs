//! Configurations that cannot be used, given to the real binary: exit code, file, line, key and
//! remedy. Layers and the reference file are the daemon's own unit tests.

use std::path::Path;

use harness::cli::{self, Output};
use harness::daemon::Setup;

/// The exit code for a configuration that cannot be used.
const UNUSABLE: i32 = 2;

const LINE: &str =
    "[[line]]\nname = \"a\"\ntenant = \"t\"\ncapture = \"hw:0\"\ntrigger = \"api\"\n";

fn check(path: &Path, environment: &[(&str, &str)]) -> Output {
    let path = path.to_string_lossy();
    cli::run("callreeld", &["--config", &*path, "--check"], environment)
}

fn check_text(text: &str) -> (Output, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("callreel.toml");
    std::fs::write(&path, text).expect("a configuration");
    (check(&path, &[]), path.to_string_lossy().into_owned())
}

/// Each bad file: where the mistake stands, and words that the message must hold.
fn bad() -> Vec<(String, usize, Vec<&'static str>)> {
    let line = |more: &str| format!("{LINE}{more}\n");
    vec![
        (
            "[storage]\ndata_dri = \"/x\"\n".into(),
            2,
            vec!["data_dri", "data_dir"],
        ),
        ("\n\n[strage]\n".into(), 3, vec!["strage", "storage"]),
        ("[http]\nport = 80\n".into(), 2, vec!["http.port", "listen"]),
        (
            "[http]\nlisten = \"127.0.0.1:1\"\n".into(),
            2,
            vec!["http.listen", "list"],
        ),
        (
            "[http]\nlisten = [\"localhost\"]\n".into(),
            2,
            vec!["http.listen", "localhost"],
        ),
        (
            "[http]\nworkers = -1\n".into(),
            2,
            vec!["http.workers", "-1"],
        ),
        (
            "[http]\nmax_connections = 0\n".into(),
            2,
            vec!["http.max_connections"],
        ),
        (
            "[http]\nlisten_tls = [\"127.0.0.1:1\"]\n".into(),
            2,
            vec!["http.listen_tls", "tls"],
        ),
        (
            "[http]\nallowed_origins = [\"a/b\"]\n".into(),
            2,
            vec!["allowed_origins", "https://"],
        ),
        (
            "[storage]\nindex_cache_mib = 7\n".into(),
            2,
            vec!["index_cache_mib", "8 to 4096"],
        ),
        (
            "[storage]\nio = \"aio\"\n".into(),
            2,
            vec!["storage.io", "uring", "blocking"],
        ),
        ("[storage\n".into(), 1, vec!["TOML"]),
        (
            "[log]\nlevel = \"loud\"\n".into(),
            2,
            vec!["log.level", "debug"],
        ),
        (
            "[realtime]\npriority = 100\n".into(),
            2,
            vec!["realtime.priority", "0 to 99"],
        ),
        (
            "[realtime]\nring_ms = 10\n".into(),
            2,
            vec!["ring_ms", "500"],
        ),
        (
            "[[line]]\nname = \"a\"\n".into(),
            1,
            vec!["tenant", "missing"],
        ),
        (line("rate = 96000"), 6, vec!["line.rate", "8000", "48000"]),
        (
            line("channels = \"quad\""),
            6,
            vec!["line.channels", "stereo"],
        ),
        (
            line("encoding = \"mp3\""),
            6,
            vec!["line.encoding", "mulaw"],
        ),
        (line("pre_roll_ms = 10001"), 6, vec!["pre_roll_ms", "10000"]),
        (
            line("channels = \"stereo\"\ncapture_agent = \"hw:1\""),
            7,
            vec!["capture_agent"],
        ),
        (
            line("[line.vox]\nstop_dbfs = -10.0"),
            7,
            vec!["stop_dbfs", "start_dbfs"],
        ),
        (line(LINE), 7, vec!["line.name", "'a'"]),
        (
            LINE.replace("\"a\"", "\"../a\""),
            2,
            vec!["line.name", "../a"],
        ),
        (
            LINE.replace("\"api\"", "\"never\""),
            5,
            vec!["line.trigger", "always", "vox"],
        ),
    ]
}

/// Every bad file is refused with its place, its key and what would be right.
#[test]
fn bad_files_are_refused_with_place_and_remedy() {
    let mut wrong = Vec::new();
    for (text, line, words) in bad() {
        let (output, path) = check_text(&text);
        let mut wanted = vec![format!("{path}:{line}")];
        wanted.extend(words.into_iter().map(str::to_owned));
        let lacking: Vec<_> = wanted
            .iter()
            .filter(|word| !output.stderr.contains(word.as_str()))
            .collect();
        if output.code != UNUSABLE || !lacking.is_empty() {
            let (code, message) = (output.code, output.stderr.trim());
            wrong.push(format!(
                "{text:?}: code {code}, lacks {lacking:?} in: {message}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files that cannot even be read.
#[test]
fn unreadable_files_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = check(&folder.path().join("nowhere.toml"), &[]).failure();
    assert_eq!(missing.code, UNUSABLE);
    assert!(
        missing.stderr.contains("nowhere.toml"),
        "{}",
        missing.stderr
    );
    let directory = check(folder.path(), &[]).failure();
    assert_eq!(directory.code, UNUSABLE);
    let binary = folder.path().join("binary.toml");
    std::fs::write(&binary, [0xFF_u8, 0xFE, 0x00, 0x01]).expect("a file");
    assert_eq!(check(&binary, &[]).failure().code, UNUSABLE);
}

/// The environment counts as a layer, and its mistakes are told by their variable.
#[test]
fn bad_environment_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("callreel.toml");
    std::fs::write(&path, "").expect("a configuration");
    for (name, value, word) in [
        ("CALLREEL__LOG__LEVEL", "loud", "log.level"),
        ("CALLREEL__NO__SUCH", "1", "no.such"),
        ("CALLREEL__HTTP__WORKERS", "many", "http.workers"),
    ] {
        let output = run_with(&path, name, value).failure();
        assert_eq!(output.code, UNUSABLE, "{name}");
        assert!(output.stderr.contains(name), "{}", output.stderr);
        assert!(output.stderr.contains(word), "{}", output.stderr);
    }
}

/// A good configuration passes, with and without its environment.
#[test]
fn a_good_configuration_passes() {
    let daemon = Setup::new().prepare();
    let output = check(daemon.config(), &[]).success();
    assert!(!output.stdout.contains("panicked"));
    let output = run_with(daemon.config(), "CALLREEL__LOG__LEVEL", "warn");
    assert_eq!(output.code, 0, "{}", output.stderr);
}

/// The check starts nothing and makes nothing.
#[test]
fn checking_leaves_no_trace() {
    let daemon = Setup::new().prepare();
    let _ = check(daemon.config(), &[]).success();
    let left: Vec<_> = std::fs::read_dir(daemon.data())
        .expect("the data folder")
        .flatten()
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!daemon.folder().join("control.sock").exists());
}

fn run_with(path: &Path, name: &str, value: &str) -> Output {
    check(path, &[(name, value)])
}
