//! Prompts made from texts and URLs, with small commands in place of a speech engine, and with
//! `espeak-ng` where it is installed.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use audio_io::clock::ManualClock;
use audio_io::units::WallMillis;
use storage::handle::{IoChoice, StoreOptions};
use storage::ids::{TenantId, TenantName};
use storage::prompt::{NewPrompt, Speech as Wish};
use storage::record::Container;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::command::{CommandError, run};
use super::*;
use crate::config::schema::Fetch;

fn words(command: &[&str]) -> Vec<String> {
    command.iter().map(|word| (*word).to_owned()).collect()
}

/// Lets a command speak; what it wrote.
async fn speak(command: &[&str], text: &str) -> Result<String, CommandError> {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output");
    std::fs::write(&output, b"").unwrap();
    let within = Duration::from_secs(60);
    run(&words(command), text, "en", &output, within).await?;
    Ok(std::fs::read_to_string(&output).unwrap())
}

#[tokio::test]
async fn commands_take_and_give_in_two_ways() {
    let text = "héllo {voice}\n".repeat(1_000);
    assert_eq!(speak(&["cat"], &text).await.unwrap(), text);
    let script = "printf '%s|%s' \"$1\" \"$2\" > \"$3\"; echo noise; cat";
    let command = ["sh", "-c", script, "sh", "{text}", "-v{voice}", "{output}"];
    assert_eq!(speak(&command, "a; b $c").await.unwrap(), "a; b $c|-ven");
    assert_eq!(speak(&["nice"], "").await.unwrap(), "19\n");
}

#[tokio::test]
async fn commands_that_fail_say_why() {
    let missing = speak(&["/nowhere/speak"], "x").await;
    assert!(matches!(missing, Err(CommandError::Start { .. })));
    let script = "echo 'no such\tvoice' >&2; head -c 100000 /dev/zero >&2; exit 3";
    let failed = speak(&["sh", "-c", script], "x").await;
    let Err(CommandError::Failed { status, said }) = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(status.code(), Some(3));
    assert!(
        said.starts_with("no such voice") && said.len() <= 1_024,
        "{said}"
    );
    // One that does not read its input has no say in whether it worked.
    assert_eq!(speak(&["true"], &"x".repeat(10_000)).await.unwrap(), "");
}

#[tokio::test]
async fn what_a_command_leaves_behind_holds_nobody_up() {
    let spoken = speak(&["sh", "-c", "sleep 1000 & cat"], "x").await;
    assert_eq!(spoken.unwrap(), "x");
}

#[tokio::test]
async fn commands_that_write_too_much_are_ended() {
    let piped = speak(&["sh", "-c", "head -c 50000001 /dev/zero; cat"], "x").await;
    assert!(matches!(piped, Err(CommandError::TooLong(50_000_000))));
    let script = "truncate -s 50000001 \"$1\"; sleep 1000";
    let filed = speak(&["sh", "-c", script, "sh", "{output}"], "x").await;
    assert!(matches!(filed, Err(CommandError::TooLong(50_000_000))));
}

#[tokio::test(start_paused = true)]
async fn commands_that_take_too_long_are_ended_with_all_they_started() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut reading = std::fs::File::options();
    let reading = reading.read(true).custom_flags(libc::O_NONBLOCK);
    let reading = reading.open(&pipe).unwrap();
    let output = folder.path().join("output");
    std::fs::write(&output, b"").unwrap();
    let script = format!("exec 3>'{}'; sleep 1000 & wait", pipe.display());
    let within = Duration::from_secs(30);
    let spoken = run(&words(&["sh", "-c", &script]), "x", "en", &output, within).await;
    assert!(matches!(spoken, Err(CommandError::TimedOut(took)) if took == within));
    // The pipe ends when the last of them is gone.
    let mut byte = [0];
    while std::io::Read::read(&mut &reading, &mut byte).is_err() {
        std::thread::yield_now();
    }
}

/// A store with a tenant.
struct Rig {
    storage: StorageHandle,
    tenant: TenantId,
    folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            data_dir: folder.path().join("data"),
            index_cache_bytes: 8 * 1_024 * 1_024,
            io: IoChoice::Blocking,
        };
        let clock = Arc::new(ManualClock::at(WallMillis(784_111_777_500)));
        let (storage, _, _) = StorageHandle::open(options, clock).unwrap();
        let name = TenantName::new("a").unwrap();
        let tenant = storage.add_tenant(name).unwrap().id;
        Self {
            storage,
            tenant,
            folder,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn prompts(&self, speech: Speech, allow: &[&str]) -> Prompts {
        let allow = allow.iter().map(|net| net.parse().unwrap()).collect();
        let fetcher = Fetcher::new(Fetch { allow });
        let clock = Arc::new(ManualClock::at(WallMillis(0)));
        Prompts::new(self.storage.clone(), fetcher, speech, clock)
    }

    fn add(&self, origin: PromptOrigin) -> PromptRow {
        let prompt = NewPrompt {
            tenant: self.tenant,
            name: "a".to_owned(),
            origin,
            expires_at: None,
        };
        self.storage.add_prompt(prompt, None).unwrap()
    }

    fn text(&self, text: &str, voice: Option<&str>) -> PromptRow {
        let voice = voice.map(str::to_owned);
        let text = text.to_owned();
        self.add(PromptOrigin::Speech(Wish { text, voice }))
    }

    /// A command that gives a sound once `ready` is there, and notes each run in `runs`.
    fn engine(&self) -> Speech {
        std::fs::write(self.path("sound.wav"), wav()).unwrap();
        let script = "echo x >> \"$0/runs\"; test -e \"$0/ready\" && cp \"$0/sound.wav\" \"$1\"";
        let folder = self.folder.path().to_str().unwrap();
        Speech {
            command: words(&["sh", "-c", script, folder, "{output}"]),
            ..Speech::default()
        }
    }

    fn runs(&self) -> usize {
        let runs = std::fs::read_to_string(self.path("runs"));
        runs.map_or(0, |runs| runs.lines().count())
    }
}

/// Half a second of a tone.
fn wav() -> Vec<u8> {
    let sound: Vec<u8> = (0..4_000_i16)
        .flat_map(|at| (if at % 16 < 8 { 8_000_i16 } else { -8_000 }).to_le_bytes())
        .collect();
    let length = u32::try_from(sound.len()).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&(36 + length).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&8_000_u32.to_le_bytes());
    file.extend_from_slice(&16_000_u32.to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(&sound);
    file
}

fn scratches(rig: &Rig) -> usize {
    let folder = rig.storage.data_dir().join("scratch");
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_text_is_spoken_once_and_kept_as_mp3() {
    let rig = Rig::new();
    let prompts = rig.prompts(rig.engine(), &[]);
    std::fs::write(rig.path("ready"), b"").unwrap();
    let row = rig.text("hello", None);
    let (one, two) = tokio::join!(
        prompts.with_sound(row.clone()),
        prompts.with_sound(row.clone())
    );
    let made = one.unwrap();
    assert_eq!(two.unwrap(), made);
    let sound = made.sound.clone().unwrap();
    assert_eq!(sound.container, Container::Mp3);
    assert_eq!(sound.format.rate.duration_of(sound.frames).0, 500);
    let kept = rig.storage.prompt(rig.tenant, row.id).unwrap();
    assert_eq!(kept, Some(made.clone()));
    assert_eq!(prompts.with_sound(row).await.unwrap(), made);
    assert_eq!(prompts.with_sound(made.clone()).await.unwrap(), made);
    assert_eq!((rig.runs(), scratches(&rig)), (1, 0));
}

#[tokio::test]
async fn after_a_failure_the_next_who_asks_tries_again() {
    let rig = Rig::new();
    let prompts = rig.prompts(rig.engine(), &[]);
    let row = rig.text("hello", None);
    let failed = prompts.with_sound(row.clone()).await;
    let Err(PromptFailure::Shared(shared)) = failed else {
        panic!("{failed:?}");
    };
    assert!(matches!(*shared, PromptFailure::Speech(_)), "{shared}");
    std::fs::write(rig.path("ready"), b"").unwrap();
    assert!(prompts.with_sound(row).await.is_ok());
    assert_eq!((rig.runs(), scratches(&rig)), (2, 0));
}

#[tokio::test]
async fn what_was_begun_is_finished_when_nobody_waits() {
    let rig = Rig::new();
    let prompts = rig.prompts(rig.engine(), &[]);
    std::fs::write(rig.path("ready"), b"").unwrap();
    let row = rig.text("hello", None);
    let mut gone = Box::pin(prompts.with_sound(row.clone()));
    std::future::poll_fn(|cx| {
        assert!(gone.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    drop(gone);
    assert!(prompts.with_sound(row).await.is_ok());
    assert_eq!(rig.runs(), 1);
}

#[tokio::test]
async fn engines_that_give_nothing_usable_are_failures() {
    let rig = Rig::new();
    let none = Speech {
        command: Vec::new(),
        ..Speech::default()
    };
    let text = Speech {
        command: words(&["cat"]),
        ..Speech::default()
    };
    for (speech, voice, expected) in [
        (none, None, "no speech engine"),
        (text.clone(), None, "gave no sound"),
        (text, Some("-w/etc/x"), "a voice is"),
    ] {
        let prompts = rig.prompts(speech, &[]);
        let failed = prompts.with_sound(rig.text("hello", voice)).await;
        let said = failed.unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
    let prompts = rig.prompts(rig.engine(), &[]);
    let row = rig.text("hello", None);
    rig.storage.delete_prompt(rig.tenant, row.id).unwrap();
    let failed = prompts.with_sound(row).await;
    assert!(failed.unwrap_err().to_string().contains("no prompt"));
    assert_eq!((rig.runs(), scratches(&rig)), (0, 0));
}

/// Answers one request with the tone.
async fn server() -> (u16, tokio::task::JoinHandle<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") && !request.ends_with(b"\r\n\r\n")
            || is_head_of_post(&request)
        {
            stream.read_buf(&mut request).await.unwrap();
        }
        let body = wav();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    (port, served)
}

fn is_head_of_post(request: &[u8]) -> bool {
    request.starts_with(b"POST") && !request.ends_with(b"}")
}

#[tokio::test]
async fn a_url_is_fetched_once_and_kept_as_it_came() {
    let rig = Rig::new();
    let (port, served) = server().await;
    let url = || PromptOrigin::Url(format!("http://127.0.0.1:{port}/a.wav"));
    let refused = rig
        .prompts(rig.engine(), &[])
        .with_sound(rig.add(url()))
        .await;
    let Err(PromptFailure::Shared(shared)) = refused else {
        panic!("{refused:?}");
    };
    assert!(matches!(
        *shared,
        PromptFailure::Fetch(FetchError::Refused(_))
    ));
    let prompts = rig.prompts(rig.engine(), &["127.0.0.1/32"]);
    let made = prompts.with_sound(rig.add(url())).await.unwrap();
    assert_eq!(made.sound.as_ref().unwrap().container, Container::Wav);
    assert!(served.await.unwrap().starts_with("GET /a.wav "));
    let size = made.sound.as_ref().unwrap().size_bytes;
    assert_eq!(size, wav().len() as u64);
    assert_eq!((rig.runs(), scratches(&rig)), (0, 0));
}

#[tokio::test]
async fn an_upstream_speaks() {
    let rig = Rig::new();
    let (port, served) = server().await;
    let speech = Speech {
        url: Some(format!("http://127.0.0.1:{port}/speak")),
        ..rig.engine()
    };
    let prompts = rig.prompts(speech, &[]);
    let made = prompts.with_sound(rig.text("say \"x\"", Some("es"))).await;
    assert_eq!(made.unwrap().sound.unwrap().container, Container::Mp3);
    let request = served.await.unwrap();
    assert!(
        request.ends_with(r#"{"text":"say \"x\"","voice":"es"}"#),
        "{request}"
    );
    assert_eq!(rig.runs(), 0);
}

/// The default engine, where it is installed.
#[tokio::test]
async fn espeak_speaks() {
    let is_there = |folder: &str| Path::new(folder).join("espeak-ng").exists();
    let path = std::env::var("PATH").unwrap_or_default();
    if !path.split(':').any(is_there) {
        return;
    }
    let rig = Rig::new();
    let default = rig.prompts(Speech::default(), &[]);
    let piped = Speech {
        command: words(&["espeak-ng", "-v", "{voice}", "--stdout", "--stdin"]),
        ..Speech::default()
    };
    let piped = rig.prompts(piped, &[]);
    let mut lengths = Vec::new();
    for prompts in [default, piped] {
        let row = rig.text("Please hold the line.", Some("en-us"));
        let sound = prompts.with_sound(row).await.unwrap().sound.unwrap();
        assert_eq!(sound.container, Container::Mp3);
        lengths.push(sound.format.rate.duration_of(sound.frames).0);
    }
    assert!((500..5_000).contains(&lengths[0]), "{lengths:?}");
    assert_eq!(lengths[0], lengths[1]);
    let unheard = Speech::default();
    let row = rig.text("x", Some("zz"));
    let failed = rig.prompts(unheard, &[]).with_sound(row).await;
    assert!(failed.is_err());
}
