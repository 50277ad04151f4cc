//! What kind of trouble an error tells of, for whoever has to decide whether trying again helps.

use std::io::{Error, ErrorKind};

use crate::error::{OpenError, ReadError, WriteError};
use crate::ledger::key::KeyError;
use crate::retention::PlaceError;

/// The kinds.
#[derive(Debug)]
pub enum Trouble<'e> {
    /// The operating system refused something.
    System(&'e Error),
    /// Too little space is free.
    Full,
    /// Another process has the store.
    InUse,
    /// What is stored is not understood, and will not be the next time either.
    Foreign,
    /// Anything else.
    Other,
}

impl OpenError {
    /// What kind of trouble it is.
    #[must_use]
    pub fn trouble(&self) -> Trouble<'_> {
        match self {
            Self::Io { source, .. } => Trouble::System(source),
            Self::NoRoom { .. } => Trouble::Full,
            Self::Locked(_) => Trouble::InUse,
            Self::Index(error) => of_index(error),
            Self::NewerSchema { .. } | Self::Meta(_) => Trouble::Foreign,
            Self::Place(PlaceError::Io { source, .. }) => Trouble::System(source),
            Self::LedgerKey { problem, .. } => match problem {
                KeyError::Io(source) => Trouble::System(source),
                KeyError::Pem(_) | KeyError::Kind => Trouble::Foreign,
                KeyError::Random(_) => Trouble::Other,
            },
            Self::LedgerKeyLost { .. } => Trouble::Foreign,
            Self::Random(_) | Self::Thread(..) | Self::Place(_) => Trouble::Other,
        }
    }
}

impl ReadError {
    /// What kind of trouble it is.
    #[must_use]
    pub fn trouble(&self) -> Trouble<'_> {
        match self {
            Self::Index(error) => of_index(error),
            Self::Row(_) | Self::TenantRow(_) | Self::PromptRow(_) => Trouble::Foreign,
            Self::Ledger(source) => Trouble::System(source),
        }
    }
}

impl WriteError {
    /// What kind of trouble it is.
    #[must_use]
    pub fn trouble(&self) -> Trouble<'_> {
        match self {
            Self::Index(error) => of_index(error),
            Self::Closing => Trouble::Other,
        }
    }
}

fn of_index(error: &redb::Error) -> Trouble<'_> {
    match error {
        redb::Error::Io(source) if matches!(source.kind(), ErrorKind::InvalidData) => {
            Trouble::Foreign
        }
        redb::Error::Io(source) => Trouble::System(source),
        redb::Error::DatabaseAlreadyOpen => Trouble::InUse,
        redb::Error::Corrupted(_)
        | redb::Error::UpgradeRequired(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TableIsNotMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. } => Trouble::Foreign,
        _ => Trouble::Other,
    }
}
