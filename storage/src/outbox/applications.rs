//! Applications: all of them in memory, so that a request costs no read of the index.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use audio_io::clock::Clock;
use subtle::ConstantTimeEq as _;
use tokio::sync::Notify;

use super::timeline::Timeline;
use super::{
    AppKey, AppSettings, Application, Applications, Outbox, OutboxError, OutboxState, WebhookSecret,
};
use crate::error::OpenError;
use crate::ids::{AppId, TenantId};
use crate::index::Index;
use crate::index::apply::Change;
use crate::index::outbox::{APP_HIGH, OutboxChange};
use crate::limits::{
    APP_KEY_MIN, APPLICATIONS_MAX, OUTBOX_FILTER_MAX, OUTBOX_NAME_MAX, WEBHOOK_URL_MAX,
};
use crate::open::open_error;

impl OutboxState {
    /// Reads the applications. Rows that cannot be read are left out: nobody comes in by them.
    pub(crate) fn load(index: &Index, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let written = index.outbox_time().map_err(open_error)?;
        let mut applications = Applications::default();
        for row in index.applications().map_err(open_error)? {
            applications.put(row);
        }
        Ok(Self {
            applications: ArcSwap::from_pointee(applications),
            timeline: Timeline::begin(clock, written),
            changed: Arc::new(Notify::new()),
            writing: Mutex::new(()),
        })
    }

    pub(super) fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    pub(super) fn changed(&self) -> &Arc<Notify> {
        &self.changed
    }

    fn write(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Applications {
    fn put(&mut self, row: Application) {
        let row = Arc::new(row);
        self.by_id.insert(row.app_id.clone(), Arc::clone(&row));
        self.by_key.insert(row.key, row);
    }
}

impl Outbox {
    /// Adds an application, or sets one that the tenant has; one that had been stopped goes on.
    /// Durable when it returns. Blocks on the disk.
    ///
    /// # Errors
    /// [`OutboxError`]: `NoTenant`, `Taken`, `Full`, `ApiKey`, `TooLong`, `Random`, `Read`,
    /// `Write`; nothing is changed then.
    pub fn put_application(
        &self,
        tenant: TenantId,
        app_id: &AppId,
        settings: AppSettings,
    ) -> Result<Arc<Application>, OutboxError> {
        check_lengths(&settings)?;
        let state = &self.shared.outbox;
        let _writing = state.write();
        if !self.shared.accounts.tenants.load().contains_key(&tenant) {
            return Err(OutboxError::NoTenant(tenant));
        }
        let held = self.application(app_id);
        if held.as_ref().is_some_and(|held| held.key.tenant != tenant) {
            return Err(OutboxError::Taken(app_id.clone()));
        }
        let api_key_hash = match (&settings.api_key, &held) {
            (Some(key), _) if key.len() >= APP_KEY_MIN => self.shared.accounts.hash(key),
            (None, Some(held)) => held.api_key_hash,
            _ => return Err(OutboxError::ApiKey),
        };
        let secret = match (settings.secret, &held) {
            (Some(secret), _) => secret,
            (None, Some(held)) => held.secret.clone(),
            (None, None) => new_secret()?,
        };
        let key = match &held {
            Some(held) => held.key,
            None => self.next_key(tenant)?,
        };
        let row = Application {
            key,
            app_id: app_id.clone(),
            webhook_url: settings.webhook_url,
            api_key_hash,
            rate_limit: settings.rate_limit,
            events: settings.events,
            secret,
            created_at: held
                .as_ref()
                .map_or_else(|| state.timeline.wall(), |held| held.created_at),
            stopped_at: None,
            revision: held.map_or(1, |held| held.revision + 1),
        };
        self.keep(row)
    }

    /// Stops what is delivered to an application (its receiver said 410), unless it was set anew
    /// since `revision`; answers whether it was this that stopped them. What waits goes on waiting,
    /// up to its age. Blocks on the disk.
    ///
    /// # Errors
    /// [`OutboxError`]: `NoApplication`, `Write`.
    pub fn stop_application(&self, app: AppKey, revision: u64) -> Result<bool, OutboxError> {
        let state = &self.shared.outbox;
        let _writing = state.write();
        let held = self.application_by_key(app);
        let held = held.ok_or(OutboxError::NoApplication)?;
        if held.revision != revision || held.stopped_at.is_some() {
            return Ok(false);
        }
        let mut row = Application::clone(&held);
        row.stopped_at = Some(state.timeline.wall());
        row.revision += 1;
        self.keep(row).map(|_| true)
    }

    /// An application by its name on the wire. In memory.
    #[must_use]
    pub fn application(&self, app_id: &AppId) -> Option<Arc<Application>> {
        let held = self.shared.outbox.applications.load();
        held.by_id.get(app_id).cloned()
    }

    /// An application by its key. In memory.
    #[must_use]
    pub fn application_by_key(&self, app: AppKey) -> Option<Arc<Application>> {
        let held = self.shared.outbox.applications.load();
        held.by_key.get(&app).cloned()
    }

    /// A tenant's applications, or all, by number. In memory.
    #[must_use]
    pub fn applications(&self, tenant: Option<TenantId>) -> Vec<Arc<Application>> {
        let held = self.shared.outbox.applications.load();
        let all = held.by_key.values();
        let mut all: Vec<_> = all
            .filter(|row| tenant.is_none_or(|tenant| row.key.tenant == tenant))
            .cloned()
            .collect();
        all.sort_by_key(|row| row.key);
        all
    }

    /// The application that this name and key belong to, if its tenant is switched on. In
    /// memory; keys are compared as hashes, in constant time.
    #[must_use]
    pub fn check_application(&self, app_id: &AppId, api_key: &str) -> Option<Arc<Application>> {
        let accounts = &self.shared.accounts;
        let hash = accounts.hash(api_key);
        let held = self.application(app_id);
        let expected = held.as_ref().map_or([0; 32], |row| row.api_key_hash);
        let same = bool::from(expected.ct_eq(&hash));
        held.filter(|row| same && accounts.tenant_is_on(row.key.tenant))
    }

    fn next_key(&self, tenant: TenantId) -> Result<AppKey, OutboxError> {
        let count = self.shared.outbox.applications.load().by_key.len();
        if count >= APPLICATIONS_MAX {
            return Err(OutboxError::Full(APPLICATIONS_MAX));
        }
        let high = self.shared.index.outbox_high(APP_HIGH)?;
        let number = u32::try_from(high + 1).map_err(|_| OutboxError::Full(APPLICATIONS_MAX))?;
        Ok(AppKey { tenant, number })
    }

    fn keep(&self, row: Application) -> Result<Arc<Application>, OutboxError> {
        let change = Change::Outbox(OutboxChange::PutApp(Box::new(row.clone())));
        self.shared.committer.commit(change)?;
        let state = &self.shared.outbox;
        let held = state.applications.load();
        let mut fresh = Applications {
            by_id: held.by_id.clone(),
            by_key: held.by_key.clone(),
        };
        let key = row.key;
        fresh.put(row);
        state.applications.store(Arc::new(fresh));
        state.changed.notify_one();
        self.application_by_key(key)
            .ok_or(OutboxError::NoApplication)
    }
}

fn check_lengths(settings: &AppSettings) -> Result<(), OutboxError> {
    let too_long = |what, most| Err(OutboxError::TooLong { what, most });
    let url = settings.webhook_url.as_ref().map_or(0, String::len);
    if url > WEBHOOK_URL_MAX {
        return too_long("webhook_url", WEBHOOK_URL_MAX);
    }
    if settings.events.len() > OUTBOX_FILTER_MAX {
        return too_long("events", OUTBOX_FILTER_MAX);
    }
    if settings
        .events
        .iter()
        .any(|name| name.len() > OUTBOX_NAME_MAX)
    {
        return too_long("a name in events", OUTBOX_NAME_MAX);
    }
    Ok(())
}

fn new_secret() -> Result<WebhookSecret, OutboxError> {
    let mut bytes = vec![0; 32];
    getrandom::fill(&mut bytes).map_err(OutboxError::Random)?;
    WebhookSecret::new(bytes)
}
