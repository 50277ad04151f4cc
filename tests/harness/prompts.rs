//! A web server with prompts: sounds in every format, with validators, and answers that no prompt
//! should have. Counts what is asked of it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::process::run;
use crate::server::{Asked, Reply, Server};
use crate::{duplex, wav};

/// A running server with what it has; it ends with this value.
#[derive(Debug)]
pub struct Prompts {
    server: Server,
    shelf: Arc<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    files: Mutex<HashMap<String, File>>,
    asked: Mutex<Vec<(Asked, u16)>>,
}

/// What is at a path.
#[derive(Clone, Debug)]
enum File {
    Sound {
        bytes: Vec<u8>,
        content_type: String,
        cache_control: String,
    },
    Other(Reply),
}

impl Default for Prompts {
    fn default() -> Self {
        Self::start()
    }
}

impl Prompts {
    /// Starts one without files.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn start() -> Self {
        let shelf = Arc::new(Shelf::default());
        let own = Arc::clone(&shelf);
        let server = Server::start(move |asked| {
            let reply = answer(&own, asked);
            let status = match &reply {
                Reply::Answer { status, .. } => *status,
                _ => 0,
            };
            lock(&own.asked).push((asked.clone(), status));
            reply
        });
        Self { server, shelf }
    }

    /// Where a file of this name is, whether it is there or not.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.server.address())
    }

    /// Puts a file there that may be kept for an hour, and gives its URL.
    #[must_use]
    pub fn put(&self, name: &str, bytes: &[u8], content_type: &str) -> String {
        self.put_cached(name, bytes, content_type, "max-age=3600")
    }

    /// Puts a file there with this `Cache-Control`, and gives its URL.
    #[must_use]
    pub fn put_cached(&self, name: &str, bytes: &[u8], kind: &str, cache_control: &str) -> String {
        let file = File::Sound {
            bytes: bytes.to_vec(),
            content_type: kind.to_owned(),
            cache_control: cache_control.to_owned(),
        };
        lock(&self.shelf.files).insert(name.to_owned(), file);
        self.url(name)
    }

    /// Puts mono samples of a line's rate there as a WAV file, and gives its URL.
    #[must_use]
    pub fn put_samples(&self, name: &str, samples: &[i16]) -> String {
        let bytes = wav::write(samples, 1, duplex::RATE);
        self.put(name, &bytes, "audio/wav")
    }

    /// Makes whoever asks for this name get that.
    #[must_use]
    pub fn put_reply(&self, name: &str, reply: Reply) -> String {
        lock(&self.shelf.files).insert(name.to_owned(), File::Other(reply));
        self.url(name)
    }

    /// The statuses that requests for a name were answered with; 0 for what is no answer.
    #[must_use]
    pub fn answered(&self, name: &str) -> Vec<u16> {
        let path = format!("/{name}");
        lock(&self.shelf.asked)
            .iter()
            .filter(|(asked, _)| asked.target == path)
            .map(|(_, status)| *status)
            .collect()
    }
}

/// Converts mono samples to the format of a file name's extension, at a sample rate.
#[must_use]
pub fn encode(samples: &[i16], rate: u32, extension: &str, folder: &Path) -> Vec<u8> {
    let (source, made) = (
        folder.join("prompt-source.wav"),
        folder.join(format!("prompt-made.{extension}")),
    );
    std::fs::write(&source, wav::write(samples, 1, rate)).expect("the prompt's source");
    let codec: &[&str] = match extension {
        "mp3" => &["-c:a", "libmp3lame", "-b:a", "128k"],
        "m4a" => &["-c:a", "aac", "-b:a", "128k"],
        "ogg" => &["-c:a", "libvorbis", "-q:a", "8"],
        _ => &[],
    };
    let (source, output) = (source.to_string_lossy(), made.to_string_lossy());
    let mut arguments = vec!["-v", "error", "-y", "-i", &source];
    arguments.extend_from_slice(codec);
    arguments.push(&output);
    let _ = run("ffmpeg", &arguments);
    std::fs::read(&made).expect("the prompt")
}

fn answer(shelf: &Shelf, asked: &Asked) -> Reply {
    let name = asked.target.trim_start_matches('/');
    let file = lock(&shelf.files).get(name).cloned();
    match file {
        None => Reply::status(404),
        Some(File::Other(reply)) => reply,
        Some(File::Sound {
            bytes,
            content_type,
            cache_control,
        }) => {
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            let etag = format!("\"{:016x}\"", hasher.finish());
            let is_known = asked.header("if-none-match") == Some(&etag);
            let headers = vec![
                ("ETag".to_owned(), etag),
                ("Cache-Control".to_owned(), cache_control),
                ("Content-Type".to_owned(), content_type),
            ];
            let (status, body) = if is_known {
                (304, Vec::new())
            } else {
                (200, bytes)
            };
            Reply::Answer {
                status,
                headers,
                body,
            }
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
