//! Tests of the configuration: bad files, layering, and the reference file.

use std::path::Path;

use bad::BAD_FILES;

use super::keys::{self, Key, Kind};
use super::schema::{Config, StorageIo, Trigger};
use super::*;

mod bad;
mod keeping;
mod telephony;

const REFERENCE: &str = include_str!("../../../packaging/callreel.toml");

const LINE: &str = "[[line]]\nname = 'a'\ntenant = 't'\ncapture = 'hw:0'\ntrigger = 'api'\n";

fn load_text(text: &str) -> Result<Config, String> {
    load_files(&[("callreel.toml", text)], &[])
}

fn load_files(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Config, String> {
    load_all(files, environment).map(|loaded| loaded.config)
}

fn load_all(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("conf.d")).expect("conf.d");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let origin = Origin::new(Some(folder.path().join("callreel.toml")));
    let environment = environment
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let base = format!("{}/", folder.path().display());
    load_with(&origin, environment, None).map_err(|error| error.to_string().replace(&base, ""))
}

#[test]
fn each_bad_file_is_refused_with_line_key_and_remedy() {
    for (text, parts) in BAD_FILES {
        let message = load_text(text).expect_err(text);
        for part in *parts {
            assert!(
                message.contains(part),
                "{text:?} gave {message:?}, without {part:?}"
            );
        }
        assert!(message.contains("callreel.toml:"), "{message}");
    }
}

#[test]
fn each_bad_line_is_refused_with_line_key_and_remedy() {
    let cases: &[(&str, &[&str])] = &[
        (
            "pre_roll_ms = 10001",
            &[":6: line.pre_roll_ms", "0 to 10000"],
        ),
        ("rate = 7999", &[":6: line.rate", "8000 to 48000"]),
        (
            "period_ms = 160",
            &[":6: line.period_ms", "buffer_ms = 160"],
        ),
        (
            "buffer_ms = 4000",
            &[":6: line.buffer_ms", "ring_ms = 2000"],
        ),
        (
            "channels = 'stereo'\ncapture_agent = 'hw:1'",
            &[":7: line.capture_agent", "stereo"],
        ),
        (
            "playback = 'hw:1'\nchannels = 'stereo'",
            &[":7: line.channels", "contradicts playback"],
        ),
        (
            "playback = 'hw:1'\ncapture_agent = 'hw:2'",
            &[":7: line.capture_agent", "contradicts playback"],
        ),
        (
            "capture_agent = 'hw:0'",
            &[":6: line.capture_agent", "'hw:0'", "callreel.toml:4"],
        ),
        (
            "[line.vox]\nstop_dbfs = -30",
            &[":7: line.vox.stop_dbfs", "-30", "-40"],
        ),
        (
            "[line.vox]\nstart_dbfs = 0.5",
            &[":7: line.vox.start_dbfs", "-70 to 0"],
        ),
        (
            "min_length_ms = 5000\nmax_length_s = 5",
            &[":6: line.min_length_ms"],
        ),
        ("from = ''", &[":6: line.from", "'+*#-_.@:'"]),
        (
            "[[line]]\nname='a'\ntenant='t'\ncapture='hw:1'\ntrigger='vox'",
            &[":7: line.name", ":2"],
        ),
        (
            "[[line]]\nname='b'\ntenant='t'\ncapture='hw:0'\ntrigger='vox'",
            &[":9: line.capture"],
        ),
    ];
    for (more, parts) in cases {
        let text = format!("{LINE}{more}\n");
        let message = load_text(&text).expect_err(&text);
        for part in *parts {
            assert!(
                message.contains(part),
                "{more:?} gave {message:?}, without {part:?}"
            );
        }
    }
}

#[test]
fn all_problems_of_all_layers_are_told_at_once() {
    let message = load_files(
        &[
            ("callreel.toml", "[http]\nworkers = 300\nport = 80\n"),
            ("conf.d/10-line.toml", "[[line]]\nname = 'a'\n"),
            ("conf.d/20-line.toml", LINE),
            ("conf.d/30-line.toml", LINE),
        ],
        &[("CALLREEL__LOG__LEVEL", "x"), ("CALLREEL__NO__SUCH", "1")],
    )
    .expect_err("many problems");
    for part in [
        "callreel.toml:2: http.workers",
        "callreel.toml:3: http.port",
        "conf.d/10-line.toml:1: line.tenant: is missing",
        "conf.d/30-line.toml:2: line.name: 'a' is also the name of the line at conf.d/20",
        "environment variable CALLREEL__LOG__LEVEL: log.level",
        "environment variable CALLREEL__NO__SUCH: no.such: unknown key",
    ] {
        assert!(message.contains(part), "{message}\nlacks {part:?}");
    }
}

#[test]
fn later_layers_win_and_lines_add_up() {
    let config = load_files(
        &[
            (
                "callreel.toml",
                "[http]\nworkers = 1\npage = false\n[storage]\nio = 'blocking'\n",
            ),
            ("conf.d/b.toml", "[http]\nworkers = 3\n"),
            ("conf.d/a.toml", "[http]\nworkers = 2\n"),
            ("conf.d/c.toml", LINE),
            (
                "conf.d/d.toml",
                &LINE.replace("'a'", "'b'").replace("hw:0", "hw:1"),
            ),
            ("conf.d/ignored.conf", "nonsense"),
        ],
        &[
            ("CALLREEL__HTTP__LISTEN", "127.0.0.1:1, [::1]:2"),
            ("CALLREEL__REALTIME__LOCK_MEMORY", "false"),
            ("CALLREEL__CONTROL__GROUP", "42"),
            ("CALLREEL__FETCH__ALLOW", "10.0.0.0/8,fd00::/8"),
            ("CALLREEL__SPEECH__COMMAND", "piper, --stdin"),
            ("CALLREELD_OTHER", "x"),
        ],
    )
    .expect("valid");
    assert_eq!(config.http.workers, 3);
    assert!(!config.http.page);
    assert_eq!(config.storage.io, StorageIo::Blocking);
    assert_eq!(config.http.listen.len(), 2);
    assert!(!config.realtime.lock_memory);
    assert_eq!(config.control.group.as_deref(), Some("42"));
    assert_eq!(config.fetch.allow.len(), 2);
    assert_eq!(config.speech.command, ["piper", "--stdin"]);
    let names: Vec<_> = config.lines.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(config.lines[0].trigger, Trigger::Api);
}

#[test]
fn relative_paths_are_relative_to_the_main_file_and_refused_in_the_environment() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("x.toml");
    std::fs::write(&file, "[storage]\ndata_dir = 'data'\n").expect("a file");
    let origin = Origin::new(Some(file));
    let loaded = load_with(&origin, std::iter::empty(), None).expect("valid");
    assert_eq!(loaded.config.storage.data_dir, folder.path().join("data"));
    let environment = [("CALLREEL__STORAGE__DATA_DIR".to_owned(), "data".to_owned())];
    let error = load_with(&origin, environment.into_iter(), None).expect_err("relative");
    assert!(
        error
            .to_string()
            .contains("storage.data_dir: 'data' is relative"),
        "{error}"
    );
}

#[test]
fn a_named_file_must_exist_and_the_default_one_need_not() {
    let missing = Origin::new(Some("/nonexistent/callreel.toml".into()));
    let error = load_with(&missing, std::iter::empty(), None).expect_err("missing");
    assert!(
        error.to_string().contains("/nonexistent/callreel.toml"),
        "{error}"
    );
    let default = Origin {
        file: "/nonexistent/callreel.toml".into(),
        must_exist: false,
    };
    let loaded = load_with(&default, std::iter::empty(), None).expect("defaults");
    assert!(loaded.files.is_empty());
}

#[test]
fn the_reference_file_is_the_defaults() {
    let mut config = load_text(REFERENCE).expect("the reference file is valid");
    config.file = None;
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
}

/// Lines that show a key that is not set begin with '#' and no space.
fn uncommented() -> String {
    let shown = |line: &str| {
        let code = line
            .strip_prefix('#')
            .filter(|rest| !rest.starts_with(' '))
            .unwrap_or(line);
        format!("{code}\n")
    };
    REFERENCE.lines().map(shown).collect()
}

#[test]
fn the_reference_file_shows_every_key_with_its_default() {
    let text = uncommented();
    let mut problems = Vec::new();
    let layer = layer::from_toml(Path::new("ref"), &text, Path::new("/"), &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    let mut missing = Vec::new();
    let mut look = |path: &str| {
        let within_line = path.strip_prefix("line.").map(|rest| {
            let mut lines = layer.tables_of("line").iter();
            lines.any(|line| line.places.contains_key(rest))
        });
        let within_policy = path.strip_prefix("retention.policy.").map(|rest| {
            let mut policies = layer.tables_of("retention.policy").iter();
            policies.any(|policy| policy.places.contains_key(rest))
        });
        let within_group = path.strip_prefix("group.").map(|rest| {
            let mut groups = layer.tables_of("group").iter();
            groups.any(|group| group.places.contains_key(rest))
        });
        let within = within_line.or(within_policy).or(within_group);
        if !within.unwrap_or_else(|| layer.places.contains_key(path)) {
            missing.push(path.to_owned());
        }
    };
    walk(keys::ROOT, "", &mut look);
    assert!(
        missing.is_empty(),
        "the reference file does not show {missing:?}"
    );
    let shown = "rate period_ms buffer_ms rotate_s min_length_ms max_length_s pre_roll_ms channels \
                 encoding start_dbfs stop_dbfs attack_ms hang_ms law rx_gain_db tx_gain_db \
                 echo_taps caller_id_wait_ms hangup_tones tone_zone ring_timeout_ms \
                 answer_after_rings off_hook_volts silent_after_s active_after_s";
    let keep = |row: &&str| {
        !shown
            .split_whitespace()
            .any(|key| row.starts_with(&format!("{key} ")))
    };
    let least = text.lines().filter(keep).collect::<Vec<_>>().join("\n");
    let both = |text: &str| {
        let text = text
            .replace("capture_agent", "#")
            .replace("/etc/callreel/tls", "/proc/self/fd")
            .replace("/etc/callreel/admin.key", "/proc/self/fd/0")
            .replace("/etc/callreel/ledger.pem", "/proc/self/fd/0")
            .replace("/etc/callreel/alarms.secret", "/proc/self/fd/0");
        let text = text.replace("certificate.pem", "0").replace("key.pem", "0");
        load_text(&text).map(|config| format!("{:?}", config.lines))
    };
    assert_eq!(
        both(&text),
        both(&least),
        "values shown for a line are its defaults"
    );
    assert!(both(&text).is_ok(), "{:?}", both(&text));
}

fn walk(keys: &'static [Key], prefix: &str, look: &mut impl FnMut(&str)) {
    for key in keys {
        let path = format!("{prefix}{}", key.name);
        match key.kind {
            Kind::Table(inner) | Kind::Tables(_, inner) => walk(inner, &format!("{path}."), look),
            _ => look(&path),
        }
    }
}

/// serde's own list of a table's fields, from the message with which it refuses another one.
fn fields_of(text: &str) -> Vec<String> {
    let file = config::File::from_str(text, config::FileFormat::Toml);
    let built = config::Config::builder()
        .add_source(file)
        .build()
        .expect("TOML");
    let message = built
        .try_deserialize::<Config>()
        .expect_err("unknown field")
        .to_string();
    let expected = message.split("expected").nth(1).expect("a list of fields");
    let expected = expected.split(" for key").next().expect("a list of fields");
    let mut fields: Vec<_> = expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    fields.sort();
    fields
}

#[test]
fn the_table_of_keys_and_the_schema_name_the_same_keys() {
    let tables: &[(&str, &str)] = &[
        ("", "zz = 1"),
        ("storage", "[storage]\nzz = 1"),
        ("http", "[http]\nzz = 1"),
        ("http.tls", "[http.tls]\nzz = 1"),
        ("control", "[control]\nzz = 1"),
        ("realtime", "[realtime]\nzz = 1"),
        ("log", "[log]\nzz = 1"),
        ("access", "[access]\nzz = 1"),
        ("convert", "[convert]\nzz = 1"),
        ("fetch", "[fetch]\nzz = 1"),
        ("speech", "[speech]\nzz = 1"),
        ("webhooks", "[webhooks]\nzz = 1"),
        ("admin", "[admin]\nzz = 1"),
        ("first_start", "[first_start]\nzz = 1"),
        ("ledger", "[ledger]\nzz = 1"),
        ("retention", "[retention]\nzz = 1"),
        ("retention.policy", "[[retention.policy]]\nzz = 1"),
        ("alarms", "[alarms]\nzz = 1"),
        ("dahdi", "[dahdi]\nzz = 1"),
        ("audiosocket", "[audiosocket]\nzz = 1"),
        ("group", "[[group]]\nzz = 1"),
        ("line", "[[line]]\nzz = 1"),
        ("line.channel", "[[line]]\n[line.channel]\nzz = 1"),
        ("line.watch", "[[line]]\n[line.watch]\nzz = 1"),
        ("line.vox", "[[line]]\n[line.vox]\nzz = 1"),
    ];
    for (path, text) in tables {
        let mut keys = keys::ROOT;
        for part in path.split('.').filter(|part| !part.is_empty()) {
            let key = keys::find(keys, part).expect("a known table");
            let (Kind::Table(inner) | Kind::Tables(_, inner)) = key.kind else {
                panic!("{part} is no table");
            };
            keys = inner;
        }
        let mut names: Vec<_> = keys.iter().map(|key| key.name.to_owned()).collect();
        names.sort();
        assert_eq!(names, fields_of(text), "of table '{path}'");
    }
}

#[test]
fn changes_are_told_by_section() {
    let old = Config::default();
    let mut new = old.clone();
    assert_eq!(Changes::between(&old, &new), Changes::default());
    new.http.workers = 3;
    new.log.level = schema::LogLevel::Debug;
    assert_eq!(Changes::between(&old, &new).sections, ["http", "log"]);
    new = old.clone();
    new.access.session_idle_s = 60;
    new.convert.workers = 2;
    new.fetch.allow = vec!["10.0.0.0/8".parse().unwrap()];
    new.speech.voice = "es".into();
    new.dahdi.folder = "/dev/other".into();
    new.audiosocket.allow.clear();
    let sections = Changes::between(&old, &new).sections;
    let telephony = ["dahdi", "audiosocket"];
    assert_eq!(sections[..4], ["access", "convert", "fetch", "speech"]);
    assert_eq!(sections[4..], telephony);
}

#[test]
fn a_file_that_may_not_be_read_is_told_apart() {
    let problem = |fault| Problem {
        place: Place::Default,
        key: String::new(),
        fault,
    };
    let denied = || Fault::Unreadable(std::io::ErrorKind::PermissionDenied.into());
    let only = LoadError {
        problems: vec![problem(denied())],
    };
    assert!(only.is_only_forbidden());
    let more = LoadError {
        problems: vec![problem(denied()), problem(Fault::TooMany { most: 1 })],
    };
    assert!(!more.is_only_forbidden());
}
