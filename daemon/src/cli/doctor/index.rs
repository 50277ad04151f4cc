//! The index: whether this version can read it. A running daemon has it open; it is left alone.

use storage::error::OpenError;
use storage::index::peek::{self, IndexState};

use super::finding::Finding;
use super::scene::Scene;
use crate::cli::exit::Exit;
use crate::config::schema::Config;

pub(super) fn look(scene: &Scene, config: &Config) -> Vec<Finding> {
    let folder = &config.storage.data_dir;
    let about = folder.join("index.redb").display().to_string();
    if let Some(pid) = scene.daemon {
        let says = format!("is in use by process {pid}");
        return vec![Finding::ok("index", about, says)];
    }
    vec![judge(about, peek::look(folder), peek::KNOWN_SCHEMA)]
}

fn judge(about: String, found: Result<IndexState, OpenError>, known: u32) -> Finding {
    match found {
        Ok(IndexState::Unclosed) => Finding::ok(
            "index",
            about,
            "was not closed; the daemon repairs that at its next start",
        ),
        Ok(IndexState::Absent) => Finding::ok(
            "index",
            about,
            "does not exist yet; the first start makes it",
        ),
        Ok(IndexState::Schema(found)) if found > known => Finding::problem(
            Exit::Foreign,
            "index",
            about,
            format!("has version {found}; this program knows up to {known}"),
            "install the callreel that wrote it or a newer one, or go back to the copy of the \
             index that the update made ('callreel restore')",
        ),
        Ok(IndexState::Schema(found)) if found < known => Finding::ok(
            "index",
            about,
            format!("has version {found}; the next start brings it to {known}"),
        ),
        Ok(IndexState::Schema(found)) => {
            Finding::ok("index", about, format!("has version {found}"))
        }
        Err(OpenError::Io { source, path, .. })
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Finding::warning(
                "index",
                about,
                format!(
                    "cannot be looked at: this user may not read {}",
                    path.display()
                ),
                "run 'callreel doctor' as root or as the daemon's user",
            )
        }
        Err(error) => Finding::problem(
            Exit::Foreign,
            "index",
            about,
            format!("cannot be read ({error})"),
            "start the daemon, which repairs what a crash left; if it cannot, 'callreel reindex' \
             rebuilds the index from the recordings",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn only_a_newer_index_is_foreign() {
        let judge = |found| judge("index.redb".to_owned(), Ok(found), 3);
        assert_eq!(judge(IndexState::Schema(4)).exit, Exit::Foreign);
        let fine = [IndexState::Absent, IndexState::Unclosed];
        for known in fine.into_iter().chain([1, 3].map(IndexState::Schema)) {
            assert_eq!(judge(known).state, State::Ok, "{known:?}");
        }
        let broken = super::judge("i".to_owned(), Err(OpenError::Meta("schema")), 3);
        assert_eq!(broken.exit, Exit::Foreign);
    }
}
