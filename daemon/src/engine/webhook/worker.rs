//! Who is delivered to next. One task looks for due events when something has changed or become
//! due, and starts an attempt for each that has a free lane; it never waits for a receiver.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use storage::outbox::{AppKey, Due, OutboxError};
use tokio::task::{Id, JoinError, JoinSet};
use uuid::Uuid;

use super::Shared;
use super::deliver::{Verdict, deliver};
use crate::engine::limits;

/// Delivers until it is aborted.
pub(super) async fn run(shared: Arc<Shared>) {
    let changed = shared.outbox.changed();
    let mut worker = Worker {
        shared,
        lanes: HashMap::new(),
        attempts: JoinSet::new(),
        whose: HashMap::new(),
        ended: Vec::new(),
    };
    loop {
        let pause = worker.dispatch().await;
        tokio::select! {
            () = changed.notified() => {}
            Some(ended) = worker.attempts.join_next_with_id() => worker.ended(ended),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Gives up what waits too long for applications that nothing is delivered to, until aborted.
pub(super) async fn sweep(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(limits::WEBHOOK_SWEEP);
    loop {
        ticks.tick().await;
        for app in shared.outbox.applications(None) {
            if app.is_delivered_to() {
                continue;
            }
            if let Err(error) = expire(&shared, app.key).await {
                log::warn!(
                    app = app.app_id.as_str();
                    "{}: old events are not given up: {error}", app.app_id
                );
            }
        }
    }
}

async fn expire(shared: &Shared, app: AppKey) -> Result<(), OutboxError> {
    if shared.outbox.counts(app)?.waiting == 0 {
        return Ok(());
    }
    while shared.outbox.expire(app).await? > 0 {}
    Ok(())
}

struct Worker {
    shared: Arc<Shared>,
    lanes: HashMap<AppKey, Lanes>,
    attempts: JoinSet<Verdict>,
    /// Whose attempt a task is.
    whose: HashMap<Id, (AppKey, Uuid)>,
    /// Whose attempts ended since due events were last looked for. What is known of these
    /// sessions may be older than their attempt's outcome.
    ended: Vec<(AppKey, Uuid)>,
}

/// What is under way to one application.
struct Lanes {
    sessions: HashSet<Uuid>,
    /// How many sessions may be: one while the receiver fails, twice as many with each success.
    width: usize,
    /// On the monotonic clock: nothing is sent before.
    paused_until: Duration,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            sessions: HashSet::new(),
            width: limits::WEBHOOK_LANES,
            paused_until: Duration::ZERO,
        }
    }
}

impl Worker {
    /// Starts what can be started; answers when to look again at the latest.
    async fn dispatch(&mut self) -> Duration {
        self.hear();
        for (app, session) in std::mem::take(&mut self.ended) {
            if let Some(lanes) = self.lanes.get_mut(&app) {
                lanes.sessions.remove(&session);
            }
        }
        let outbox = self.shared.outbox.clone();
        // Those under way are due too: there are enough beside them to fill every lane.
        let look = move || Ok((outbox.now(), outbox.due(outbox.now(), LOOK)));
        let found = crate::spool::off_loop(look).await;
        let (now, due) = match found {
            Ok((now, Ok(due))) => (now, due),
            Ok((_, Err(error))) => return again_soon(&error),
            Err(error) => return again_soon(&error),
        };
        self.hear();
        let next = due.next_at.map(|at| now.until(at));
        let unpaused = self.start(due);
        if !self.ended.is_empty() {
            return Duration::ZERO;
        }
        let pauses = [next, unpaused].into_iter().flatten();
        // Times on disk are whole milliseconds: one more, or it would be looked at too early.
        let pause = pauses.min().unwrap_or(limits::WEBHOOK_LOOK);
        pause
            .saturating_add(Duration::from_millis(1))
            .min(limits::WEBHOOK_LOOK)
    }

    /// Answers when the first pause ends of those that hold up something.
    fn start(&mut self, due: Due) -> Option<Duration> {
        let now = self.shared.clock.monotonic();
        let mut unpaused: Option<Duration> = None;
        for (place, event) in due.events {
            let is_crowded = self.attempts.len() >= limits::WEBHOOKS_AT_ONCE / 2;
            let lanes = self.lanes.entry(place.app).or_default();
            let width = if is_crowded { 1 } else { lanes.width };
            if lanes.paused_until > now {
                let left = lanes.paused_until.saturating_sub(now);
                unpaused = Some(unpaused.map_or(left, |least| least.min(left)));
                continue;
            }
            if lanes.sessions.len() >= width
                || lanes.sessions.contains(&event.session)
                || self.attempts.len() >= limits::WEBHOOKS_AT_ONCE
            {
                continue;
            }
            let Some(app) = self.shared.outbox.application_by_key(place.app) else {
                continue;
            };
            lanes.sessions.insert(event.session);
            let session = event.session;
            let attempt = deliver(Arc::clone(&self.shared), app, place, event);
            let task = self.attempts.spawn(attempt);
            self.whose.insert(task.id(), (place.app, session));
        }
        self.lanes.retain(|_, lanes| {
            !lanes.sessions.is_empty()
                || lanes.width < limits::WEBHOOK_LANES
                || lanes.paused_until > now
        });
        unpaused
    }

    /// Takes note of all attempts that have ended: a receiver that asks for a pause gets it.
    fn hear(&mut self) {
        while let Some(ended) = self.attempts.try_join_next_with_id() {
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Result<(Id, Verdict), JoinError>) {
        let (id, verdict) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                log::error!("an attempt to deliver a webhook died: {error}");
                (error.id(), Verdict::Unwell)
            }
        };
        let Some((app, session)) = self.whose.remove(&id) else {
            return;
        };
        let lanes = self.lanes.entry(app).or_default();
        self.ended.push((app, session));
        lanes.width = match verdict {
            Verdict::Well => (lanes.width * 2).min(limits::WEBHOOK_LANES),
            Verdict::Unwell | Verdict::Pause(_) => 1,
        };
        if let Verdict::Pause(pause) = verdict {
            let until = self.shared.clock.monotonic().saturating_add(pause);
            lanes.paused_until = lanes.paused_until.max(until);
        }
    }
}

fn again_soon(error: &dyn std::error::Error) -> Duration {
    log::warn!("webhooks that are due cannot be looked for: {error}");
    limits::WEBHOOK_DISK_RETRY
}

/// Due events of one application that are looked at.
const LOOK: usize = 2 * limits::WEBHOOK_LANES;
