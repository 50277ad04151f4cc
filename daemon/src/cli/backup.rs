//! `backup`: through the daemon where it runs, otherwise from the data folder itself. What is
//! written is read and checked as it goes by.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use audio_io::clock::{Clock as _, SystemClock};
use audio_io::units::WallMillis;
use serde::Serialize;
use storage::backup::{Checked, Head, verify};

use super::Context;
use super::args::BackupArgs;
use super::error::CliError;
use super::output::{printable, size};
use super::partial::Partial;
use crate::backup::{contents, default_name};
use crate::control::wire::Progress;
use crate::logging::rfc3339;

/// Pieces on their way to the file.
pub(super) const PIECES_MAX: usize = 8;

/// What is told of a backup.
#[derive(Serialize)]
pub(super) struct Told {
    file: Option<PathBuf>,
    made_at: String,
    version: String,
    schema: u32,
    host: String,
    recordings: u64,
    tenants: u64,
    users: u64,
    keys: u64,
    prompts: u64,
    rows: u64,
    files: Vec<String>,
    size_bytes: u64,
}

pub(super) async fn backup(context: &Context, wish: BackupArgs) -> Result<(), CliError> {
    if wish.verify {
        let file = wish.file.unwrap_or_default();
        let checked = checked(context, &file)?;
        return context.output.show(&told(Some(file), &checked), |told| {
            format!("{}it is whole\n", describe(told))
        });
    }
    let to_stdout = wish.file.as_deref() == Some(Path::new("-"));
    let now = SystemClock.wall();
    let name = wish.file.unwrap_or_else(|| default_name(now).into());
    let source = match wish.data_dir {
        None if context.client.answers().await => None,
        folder => Some(folder.map_or_else(|| context.configured_data_dir(), Ok)?),
    };
    if to_stdout {
        let _ = made(context, source, Box::new(io::stdout())).await?;
        return Ok(());
    }
    let file = Partial::create_private(name, wish.force)?;
    let to = file.writer()?;
    let checked = made(context, source, Box::new(to)).await?;
    let name = file.publish(wish.force)?;
    context.output.show(&told(Some(name), &checked), |told| {
        let file = told.file.as_deref().unwrap_or(Path::new("-"));
        format!("{}written to {}\n", describe(told), file.display())
    })
}

/// Makes a backup and answers what is in it.
async fn made(
    context: &Context,
    folder: Option<PathBuf>,
    to: Box<dyn Write + Send>,
) -> Result<Checked, CliError> {
    let (pieces, received) = sync_channel(PIECES_MAX);
    let mut meter = context.output.meter();
    let checking = tokio::task::spawn_blocking(move || {
        let tee = Tee::new(received, to);
        let mut show = |done, total| meter.show(&rows(done, total));
        let checked = verify(tee, &mut show);
        meter.finish();
        checked
    });
    let sent = match folder {
        None => {
            let send = |piece: &[u8]| send(&pieces, piece).map_err(CliError::Output);
            context.client.download("/backup", send).await.map(drop)
        }
        Some(folder) => offline(context, &folder, &pieces),
    };
    drop(pieces);
    let checked = checking.await.map_err(|_| CliError::Cut)?;
    match (sent, checked) {
        // Why the receiving end gave up is the better answer.
        (Ok(()) | Err(CliError::Output(_)), checked) => Ok(checked?),
        (Err(error), _) => Err(error),
    }
}

fn offline(context: &Context, folder: &Path, pieces: &SyncSender<Vec<u8>>) -> Result<(), CliError> {
    let mut config = context.loaded()?.config;
    folder.clone_into(&mut config.storage.data_dir);
    let contents = contents(&config, SystemClock.wall())?;
    let mut to = Pipe(pieces);
    storage::backup::write_offline(folder, &contents, &mut to, &mut |_, _| ())?;
    Ok(())
}

pub(super) fn send(pieces: &SyncSender<Vec<u8>>, piece: &[u8]) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    pieces.send(piece.to_vec()).map_err(gone)
}

/// Writing into the queue.
struct Pipe<'p>(&'p SyncSender<Vec<u8>>);

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send(self.0, bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reading from the queue; every piece is written on its way.
pub(super) struct Tee {
    pieces: Receiver<Vec<u8>>,
    to: Box<dyn Write + Send>,
    piece: Vec<u8>,
    at: usize,
}

impl Tee {
    pub(super) fn new(pieces: Receiver<Vec<u8>>, to: Box<dyn Write + Send>) -> Self {
        Self {
            pieces,
            to,
            piece: Vec::new(),
            at: 0,
        }
    }
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            let Ok(piece) = self.pieces.recv() else {
                self.to.flush()?;
                return Ok(0);
            };
            self.to.write_all(&piece)?;
            (self.piece, self.at) = (piece, 0);
        }
        let read = (&self.piece[self.at..]).read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

fn rows(done: u64, total: u64) -> Progress {
    Progress {
        stage: "rows".to_owned(),
        done,
        total,
    }
}

/// Reads a backup to its end.
pub(super) fn checked(context: &Context, file: &Path) -> Result<Checked, CliError> {
    let opened = opened(file)?;
    let mut meter = context.output.meter();
    let checked = verify(
        io::BufReader::with_capacity(1 << 18, opened),
        &mut |done, total| {
            meter.show(&rows(done, total));
        },
    );
    meter.finish();
    Ok(checked?)
}

pub(super) fn opened(file: &Path) -> Result<File, CliError> {
    File::open(file).map_err(|source| CliError::File {
        what: "open",
        path: file.to_owned(),
        source,
    })
}

pub(super) fn told(file: Option<PathBuf>, checked: &Checked) -> Told {
    let Head {
        version,
        schema,
        made_at_ms,
        host,
        recordings,
        tenants,
        users,
        keys,
        prompts,
        rows,
        ..
    } = checked.head.clone();
    let files = checked.files.iter().map(|(place, _)| place.member());
    Told {
        file,
        made_at: rfc3339(WallMillis(made_at_ms)),
        version,
        schema,
        host,
        recordings,
        tenants,
        users,
        keys,
        prompts,
        rows,
        files: files.collect(),
        size_bytes: checked.bytes,
    }
}

pub(super) fn describe(told: &Told) -> String {
    format!(
        "backup of {} from {} by callreel {} (schema {}): {} recordings' rows, {} tenants, {} \
         users, {} keys, {} prompts, {} files, {}\n",
        told.made_at,
        printable(&told.host),
        printable(&told.version),
        told.schema,
        told.recordings,
        told.tenants,
        told.users,
        told.keys,
        told.prompts,
        told.files.len(),
        size(told.size_bytes)
    )
}
