//! A real browser that plays: headless Chromium opens a page of ours, whose `<audio>` elements
//! play, seek and reach the end, and which sends what it saw back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, sync_channel};

use serde_json::Value;

use crate::process::Guarded;
use crate::wait;

/// What an `<audio>` element did with one address.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The address.
    pub url: String,
    /// The length that the element knows, in seconds.
    pub duration_s: f64,
    /// Whether sound went on after `play()`.
    pub played: bool,
    /// Where it stood after it was sent to 60 % of its length, in seconds.
    pub sought_to_s: f64,
    /// Whether it came to its end by itself after it was sent to just before it.
    pub ended: bool,
    /// What the element said, if it failed.
    pub error: Option<String>,
}

/// What an `<audio>` element is given.
#[derive(Clone, Debug)]
pub struct Source {
    /// The address.
    pub url: String,
    /// A header that the address needs: then a script fetches it and hands over the bytes.
    pub header: Option<(String, String)>,
}

/// Lets Chromium play each source from a page of another origin.
///
/// # Panics
/// When Chromium is not installed, or sends nothing back.
#[must_use]
pub fn play(sources: &[Source]) -> Vec<Heard> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port for the page");
    let address = listener.local_addr().expect("its address");
    let reports = serve(listener, page(sources));
    let profile = tempfile::tempdir().expect("a profile folder");
    let mut command = Command::new("chromium");
    command
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--ignore-certificate-errors",
            "--mute-audio",
            "--autoplay-policy=no-user-gesture-required",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("http://{address}/"));
    let log = profile.path().join("log");
    let mut browser = Guarded::spawn(command, &log);
    let report = wait::until("what Chromium heard", || {
        let report = reports.try_recv().ok();
        assert!(
            report.is_some() || browser.is_running(),
            "Chromium ended:\n{}",
            std::fs::read_to_string(&log).unwrap_or_default()
        );
        report
    });
    let items = report.as_array().expect("a list").iter();
    items.map(heard).collect()
}

fn heard(item: &Value) -> Heard {
    let seconds = |name: &str| item[name].as_f64().unwrap_or(f64::NAN);
    Heard {
        url: item["url"].as_str().unwrap_or_default().to_owned(),
        duration_s: seconds("duration"),
        played: item["played"] == true,
        sought_to_s: seconds("sought"),
        ended: item["ended"] == true,
        error: item["error"].as_str().map(str::to_owned),
    }
}

fn page(sources: &[Source]) -> String {
    let items: Vec<Value> = sources
        .iter()
        .map(|source| serde_json::json!({ "url": source.url, "header": source.header }))
        .collect();
    let items = Value::from(items);
    format!(
        "<!doctype html><meta charset=utf-8><script>const SOURCES = {items};\n{SCRIPT}</script>"
    )
}

const SCRIPT: &str = r#"
const once = (audio, event) => new Promise((resolve, reject) => {
  audio.addEventListener(event, resolve, { once: true });
  audio.addEventListener("error", () => reject(new Error(
    `${event}: ${audio.error?.code} ${audio.error?.message}`)), { once: true });
  setTimeout(() => reject(new Error(`no '${event}' in time`)), 20000);
});
async function listen({ url, header }) {
  const seen = { url };
  try {
    if (header) {
      const answer = await fetch(url, { headers: { [header[0]]: header[1] } });
      if (!answer.ok) throw new Error(`fetch: ${answer.status}`);
      url = URL.createObjectURL(await answer.blob());
    }
    const audio = new Audio();
    audio.preload = "auto";
    const known = once(audio, "loadedmetadata");
    audio.src = url;
    await known;
    seen.duration = audio.duration;
    const moves = new Promise((resolve) => audio.addEventListener("timeupdate", () => {
      if (audio.currentTime > 0) resolve();
    }));
    await audio.play();
    await Promise.race([moves, once(audio, "never").catch(() => undefined)]);
    seen.played = audio.currentTime > 0;
    const there = once(audio, "seeked");
    audio.pause();
    audio.currentTime = audio.duration * 0.6;
    await there;
    seen.sought = audio.currentTime;
    const end = once(audio, "ended");
    const near = once(audio, "seeked");
    audio.currentTime = Math.max(0, audio.duration - 0.5);
    await near;
    await audio.play();
    await end;
    seen.ended = audio.ended;
    seen.duration = audio.duration;
  } catch (error) {
    seen.error = String(error.message ?? error);
  }
  return seen;
}
Promise.all(SOURCES.map(listen)).then((all) =>
  fetch("/report", { method: "POST", body: JSON.stringify(all) }));
"#;

/// Serves the page until its report came, on a thread of its own.
fn serve(listener: TcpListener, page: String) -> Receiver<Value> {
    let (sender, reports) = sync_channel(1);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            if let Some(report) = answer(stream, &page) {
                // Nobody waits any more if the test has failed meanwhile.
                let _ = sender.send(report);
                return;
            }
        }
    });
    reports
}

/// Answers one request; gives the report, if it was one.
fn answer(mut stream: TcpStream, page: &str) -> Option<Value> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let is_report = line.starts_with("POST /report ");
    let mut length = 0_usize;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length.min(1 << 20)];
    reader.read_exact(&mut body).ok()?;
    let shown = if is_report { "" } else { page };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{shown}",
        shown.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    is_report.then(|| serde_json::from_slice(&body).ok())?
}
