//! SKELETON: one error enum per operation; variants are the storage author's to complete.
#![allow(missing_docs, reason = "skeleton")]
use crate::ids::{RecordingId, RecordingName};
macro_rules! io_error {
    ($name:ident) => {
        #[derive(Debug, thiserror::Error)]
        pub enum $name {
            #[error("{what}: {source}")]
            Io {
                what: &'static str,
                source: std::io::Error,
            },
        }
    };
}
io_error!(OpenError);
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("index: {0}")]
    Index(#[from] redb::Error),
    #[error("the row of recording {0} is unreadable; run 'callreel check'")]
    Row(RecordingId),
}
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    #[error("recording {0} has no file")]
    NoFile(RecordingId),
    #[error("file of recording {0}: {1}")]
    Io(RecordingId, std::io::Error),
}
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{0:?} is taken by another recording")]
    NameTaken(RecordingName),
    #[error("{what}: {source}")]
    Io {
        what: &'static str,
        source: std::io::Error,
    },
    #[error(transparent)]
    Read(#[from] ReadError),
}
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    #[error("no recording {0}")]
    NotFound(RecordingId),
    #[error("recording {0} is still being recorded; stop it first")]
    Live(RecordingId),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{0}")]
    Io(std::io::Error),
}
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    #[error("tenant '{0}' exists")]
    Exists(String),
    #[error(transparent)]
    Read(#[from] ReadError),
}
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("no key {0}")]
    NotFound(u64),
    #[error("no such tenant")]
    NoTenant,
    #[error(transparent)]
    Read(#[from] ReadError),
}
