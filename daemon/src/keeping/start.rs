//! Starts what keeps recordings, as the configuration demands.

use std::sync::atomic::Ordering;

use storage::handle::{StorageHandle, Surroundings};
use storage::ledger::acts::Warrant;
use storage::ledger::open::LedgerOptions;
use storage::retention::Place;

use super::policies::{PoliciesError, Shrink, apply_policies};
use super::{Keeping, Parts};
use crate::alarms::{self, Alarms};
use crate::app::App;
use crate::catalog;
use crate::config::schema::{Config, RetentionPolicy};
use crate::config::{self, LoadError};
use crate::failure::RunError;
use crate::proofs::Outlets;

/// Where the store must lie, and where its ledger's key and checkpoints are.
#[must_use]
pub fn surroundings(config: &Config) -> Surroundings {
    Surroundings {
        place: Place {
            expect_mount: config.storage.expect_mount.clone(),
            marker: config.storage.marker.clone(),
        },
        ledger: LedgerOptions {
            checkpoints: config.ledger.checkpoints_dir.clone(),
            key: config.ledger.key_file.clone(),
            unsigned: false,
        },
    }
}

/// Puts the configured policies in force. Where one would shorten a minimum, or is for a tenant
/// that is not there yet, those before stay, and the daemon starts all the same: a recorder that
/// does not start loses calls.
pub(crate) fn keep_by_policies(config: &Config, storage: &StorageHandle) -> Result<(), RunError> {
    let policies = &config.retention.policies;
    match apply_policies(&by_files(storage), policies, Shrink::Refused) {
        Ok(_) => Ok(()),
        Err(error) if error.is_shrink() => {
            log::error!(
                message_id = catalog::RETENTION_REFUSED;
                "{error}; 'callreel retention accept-shrink --yes' confirms it; until then the \
                 policies that were in force before stay so"
            );
            Ok(())
        }
        Err(error @ PoliciesError::Tenant(_)) => {
            log::error!(
                message_id = catalog::RETENTION_REFUSED;
                "{error}; until then the policies that were in force before stay so"
            );
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// The store, as the configuration's files change it.
pub(super) fn by_files(storage: &StorageHandle) -> StorageHandle {
    storage.acting(Warrant::system("configuration", "read from its files"))
}

/// Starts what watches over recordings, and tells of it.
pub(crate) fn start_all(app: &App, broken: Option<&String>) -> Option<Keeping> {
    let (config, clock) = (app.config.clone(), app.clock.clone());
    let alarms = Alarms::start(config.clone(), clock.clone())
        .inspect_err(|error| log::error!("alarms go to the journal only: {error}"))
        .ok();
    if let Some(problem) = broken {
        app.http_metrics
            .keeping
            .ledger_broken
            .store(1, Ordering::Relaxed);
        if let Some(alarms) = &alarms {
            let text =
                format!("{problem}; somebody may have tampered with it: run 'callreel check'");
            alarms.set(alarms::Kind::Ledger, Some(&text));
        }
    }
    match Outlets::start(config.clone(), clock.clone(), alarms.clone()) {
        Ok(outlets) => {
            let hook = move |line: &str| outlets.offer(line);
            app.storage.on_checkpoint(Box::new(hook));
        }
        Err(error) => log::error!("checkpoints are not sent on: {error}"),
    }
    // What the last run told is signed for from the beginning, not only when there is more.
    if let Err(error) = app.storage.want_checkpoint() {
        log::error!("no checkpoint at the start: {error}");
    }
    let parts = Parts {
        storage: app.storage.clone(),
        clock,
        config,
        metrics: app.http_metrics.clone(),
        alarms,
    };
    Keeping::start(parts)
        .inspect_err(|error| log::error!("nothing is deleted by retention: {error}"))
        .ok()
}

/// Puts policies in force that were read again.
///
/// # Errors
/// [`LoadError`]: those before stay in force.
pub(crate) fn reload_policies(app: &App, policies: &[RetentionPolicy]) -> Result<(), LoadError> {
    let applied = apply_policies(&by_files(&app.storage), policies, Shrink::Refused);
    let shrinks = applied.as_ref().is_err_and(PoliciesError::is_shrink);
    let figure = &app.http_metrics.keeping.reload_shrinks;
    figure.store(u64::from(shrinks), Ordering::Relaxed);
    applied.map(drop).map_err(refused)
}

/// Policies that the store refused, as a fault of the configuration.
fn refused(error: PoliciesError) -> LoadError {
    let problem = config::Problem {
        place: config::Place::Default,
        key: "retention.policy".to_owned(),
        fault: config::Fault::Rule(config::Rule::PoliciesRefused(error)),
    };
    LoadError {
        problems: vec![problem],
    }
}
