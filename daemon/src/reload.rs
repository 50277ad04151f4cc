//! Reads the configuration again while the daemon runs.

use std::sync::Arc;

use crate::app::App;
use crate::config::schema::{Config, RetentionPolicy};
use crate::config::{self, Changes, LoadError};
use crate::control::Reading;
use crate::control::wire::Reloaded;
use crate::http::serve::HttpServer;
use crate::keeping;
use crate::material;
use crate::run::tell_expiry;

/// The files that the daemon started with.
pub(crate) struct Files {
    app: App,
    origin: config::Origin,
    http: Arc<HttpServer>,
}

impl Files {
    pub(crate) const fn new(app: App, origin: config::Origin, http: Arc<HttpServer>) -> Self {
        Self { app, origin, http }
    }
}

impl Reading for Files {
    /// Puts in force what can be without a restart: the log level, the allowed origins,
    /// certificates, the public URL, sessions' lives, request rates, which networks may be fetched
    /// from and delivered to, the administrator's key, retention, alarms and where checkpoints are
    /// sent.
    fn reload(&self) -> Result<Reloaded, LoadError> {
        let mut new = config::load(&self.origin)?.config;
        let old = self.app.config.load_full();
        let policies = &new.retention.policies;
        keeping::reload_policies(&self.app, policies)?;
        let found = material::resolve(&mut new, &*self.app.clock);
        if let Err(error) = &found {
            log::error!("certificate and admin key stay as they are: {error}");
            new.http.tls.clone_from(&old.http.tls);
            new.admin.clone_from(&old.admin);
        }
        let changes = Changes::between(&old, &new);
        crate::logging::set_level(new.log.level);
        // Lines, paths and sockets stay as they are until a restart; what is compared the next
        // time is what is in force.
        let mut in_force = Config::clone(&old);
        in_force.log = new.log.clone();
        in_force
            .http
            .allowed_origins
            .clone_from(&new.http.allowed_origins);
        in_force.http.tls.clone_from(&new.http.tls);
        in_force.http.public_url.clone_from(&new.http.public_url);
        in_force.access = new.access.clone();
        in_force.fetch = new.fetch.clone();
        self.app.fetcher.reload(new.fetch.clone());
        in_force.webhooks = new.webhooks.clone();
        in_force.admin = new.admin.clone();
        in_force.first_start = new.first_start;
        in_force.groups.clone_from(&new.groups);
        in_force.retention = new.retention.clone();
        in_force.alarms = new.alarms.clone();
        in_force.ledger.syslog.clone_from(&new.ledger.syslog);
        in_force.ledger.command.clone_from(&new.ledger.command);
        self.app.calls.reload_webhooks(new.webhooks.allow.clone());
        self.app.config.store(Arc::new(in_force));
        if found.is_ok() {
            if let Err(error) = self.http.reload() {
                log::error!("the old certificate stays in force: {error}");
            }
            tell_expiry(&self.app);
        }
        let waiting = Changes::between(&self.app.config.load(), &new).sections;
        let is_applied = |section: &&str| !waiting.contains(section);
        let applied: Vec<&str> = changes.sections.into_iter().filter(is_applied).collect();
        log::info!("configuration read again; in force: {applied:?}, after a restart: {waiting:?}");
        Ok(Reloaded {
            applied: applied.into_iter().map(str::to_owned).collect(),
            needs_restart: waiting.into_iter().map(str::to_owned).collect(),
        })
    }

    fn policies(&self) -> Result<Vec<RetentionPolicy>, LoadError> {
        Ok(config::load(&self.origin)?.config.retention.policies)
    }
}
