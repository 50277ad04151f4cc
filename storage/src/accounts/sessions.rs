//! Sessions of users: opening, using and ending them. A session is its token's hash; the token
//! itself is shown once.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use subtle::ConstantTimeEq as _;

use crate::account::{SessionLimits, SessionRow, UserRow};
use crate::accounts::time::Now;
use crate::accounts::users::remove_session;
use crate::accounts::{Accounts, Writing, allows, random_letters};
use crate::error::AccountError;
use crate::handle::StorageHandle;
use crate::index::apply::Change;
use crate::index::commit::Job;
use crate::index::rows::{RowChange, RowTable};
use crate::index::tables::meta;
use crate::index::values;
use crate::limits::{SESSION_AHEAD_MAX, SESSION_SAVE_EVERY, SESSIONS_PER_USER_MAX};

/// A session in memory. Times are those of the steady clock, in milliseconds.
pub(super) struct Session {
    /// As it was when it was opened or read.
    pub(super) row: SessionRow,
    opened: u64,
    used: AtomicU64,
    /// The use that is on disk, or on its way there.
    saved: AtomicU64,
    /// It was seen to have expired, and stays so whatever is configured later.
    over: AtomicBool,
    /// Its row is gone from the disk, or on its way.
    dropped: AtomicBool,
}

impl Session {
    fn new(row: SessionRow, opened: u64, used: u64) -> Self {
        Self {
            row,
            opened,
            used: AtomicU64::new(used),
            saved: AtomicU64::new(used),
            over: AtomicBool::new(false),
            dropped: AtomicBool::new(false),
        }
    }

    fn is_over(&self, now: Now, limits: SessionLimits) -> bool {
        let idle = now.steady.saturating_sub(self.used.load(Ordering::Relaxed));
        let age = now.steady.saturating_sub(self.opened);
        if idle >= limits.idle_ms || age >= limits.absolute_ms {
            self.over.store(true, Ordering::Relaxed);
        }
        self.over.load(Ordering::Relaxed)
    }

    /// The row with its last use.
    fn told(&self, now: Now) -> SessionRow {
        SessionRow {
            used_at: now.shown(self.used.load(Ordering::Relaxed)),
            ..self.row.clone()
        }
    }
}

impl StorageHandle {
    /// Opens a session; the token is shown once: `<prefix>-ses-<user>-<random>`. With `force` the
    /// user's other sessions end; without, the oldest where there would be more than
    /// [`SessionLimits::per_user`].
    ///
    /// # Errors
    /// [`AccountError::NoUser`] when the user was removed, switched off, or got another password
    /// or role since its password was checked; [`AccountError::NoTenant`] when its tenant is
    /// switched off; [`AccountError::Random`], [`AccountError::Write`].
    pub fn open_session(
        &self,
        user: &UserRow,
        from: IpAddr,
        limits: SessionLimits,
        force: bool,
    ) -> Result<(SessionRow, String), AccountError> {
        let accounts = &self.shared.accounts;
        let random = random_letters(TOKEN_LETTERS).map_err(AccountError::Random)?;
        let token = format!("{}-ses-{}-{random}", accounts.prefix, user.name);
        let mut writing = accounts.write();
        let held = accounts.user(user.user_id).filter(|held| {
            held.disabled_at.is_none()
                && held.role == user.role
                && held.password_hash == user.password_hash
        });
        let held = held.ok_or_else(|| AccountError::NoUser(user.name.clone()))?;
        if !accounts.tenant_is_on(held.tenant) {
            return Err(AccountError::NoTenant(held.tenant));
        }
        let now = accounts.clock.now();
        let ended = accounts.sessions_to_end(&writing, user.user_id, now, limits, force);
        writing.session_high += 1;
        let row = SessionRow {
            session_id: writing.session_high,
            user_id: held.user_id,
            user: held.name.clone(),
            tenant: held.tenant,
            role: held.role,
            token_hash: accounts.hash(&token),
            created_at: now.wall(),
            used_at: now.wall(),
            from: from.to_canonical(),
        };
        let mut rows = vec![
            RowChange::Put(
                RowTable::UserSessions,
                row.token_hash.to_vec(),
                values::encode_session(&row),
            ),
            RowChange::Raise(meta::SESSION_HIGH, row.session_id),
        ];
        rows.extend(ended.iter().map(|(_, hash)| remove_session(hash)));
        self.shared.committer.commit(Change::Rows(rows))?;
        accounts.forget_sessions(&mut writing, user.user_id, &ended);
        let held = writing.sessions_of.entry(user.user_id).or_default();
        held.insert(row.session_id, row.token_hash);
        let session = Session::new(row.clone(), now.steady, now.steady);
        accounts.sessions.put(row.token_hash, Arc::new(session));
        Ok((row, token))
    }

    /// The session of a token that is in force (its tenant, user and address still allowed), and
    /// counts it as used. In memory; its last use reaches the disk once a minute.
    #[must_use]
    pub fn use_session(
        &self,
        token: &str,
        from: IpAddr,
        limits: SessionLimits,
    ) -> Option<SessionRow> {
        let accounts = &self.shared.accounts;
        let session = accounts.session(token)?;
        let now = accounts.clock.now();
        if session.is_over(now, limits) {
            self.drop_row(&session);
            return None;
        }
        let user = accounts.user(session.row.user_id)?;
        let allowed = user.disabled_at.is_none()
            && accounts.tenant_is_on(user.tenant)
            && allows(&user.allow, from);
        if !allowed {
            return None;
        }
        session.used.fetch_max(now.steady, Ordering::Relaxed);
        let row = session.told(now);
        let saved = session.saved.load(Ordering::Relaxed);
        let unsaved = u128::from(now.steady.saturating_sub(saved));
        if unsaved >= SESSION_SAVE_EVERY.as_millis()
            && session
                .saved
                .compare_exchange(saved, now.steady, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.save_use(&row);
        }
        Some(row)
    }

    /// Ends a session; whether there was one.
    ///
    /// # Errors
    /// [`AccountError::Write`]; it goes on then.
    pub fn close_session(&self, token: &str) -> Result<bool, AccountError> {
        let accounts = &self.shared.accounts;
        let hash = accounts.hash(token);
        let mut writing = accounts.write();
        let Some(session) = accounts.sessions.get(&hash) else {
            return Ok(false);
        };
        let row = &session.row;
        let rows = vec![remove_session(&hash)];
        self.shared.committer.commit(Change::Rows(rows))?;
        accounts.forget_sessions(&mut writing, row.user_id, &[(row.session_id, hash)]);
        Ok(true)
    }

    /// Ends all sessions of a user; how many there were, expired ones included.
    ///
    /// # Errors
    /// [`AccountError::Write`]; they go on then.
    pub fn close_sessions_of(&self, user_id: u64) -> Result<usize, AccountError> {
        let accounts = &self.shared.accounts;
        let mut writing = accounts.write();
        let ended = writing.all_sessions_of(user_id);
        if !ended.is_empty() {
            let rows = ended.iter().map(|(_, hash)| remove_session(hash));
            self.shared.committer.commit(Change::Rows(rows.collect()))?;
            accounts.forget_sessions(&mut writing, user_id, &ended);
        }
        Ok(ended.len())
    }

    /// The sessions that have not expired, oldest first. In memory.
    #[must_use]
    pub fn sessions(&self, limits: SessionLimits) -> Vec<SessionRow> {
        let accounts = &self.shared.accounts;
        let now = accounts.clock.now();
        let held = accounts.sessions.values().into_iter();
        let mut rows: Vec<_> = held
            .filter(|session| !session.is_over(now, limits))
            .map(|session| session.told(now))
            .collect();
        rows.sort_by_key(|row| row.session_id);
        rows
    }

    /// What does not reach the disk does with the next use a minute later.
    fn save_use(&self, row: &SessionRow) {
        // A session that ended meanwhile must not come back: only what is there is replaced.
        let key = row.token_hash.to_vec();
        let value = values::encode_session(row);
        if !self.offer_row(RowChange::Replace(RowTable::UserSessions, key, value)) {
            log::debug!("the index is behind: a session's last use is not saved");
        }
    }

    /// What has expired must not come back when the store is opened with another clock.
    fn drop_row(&self, session: &Session) {
        if !session.dropped.swap(true, Ordering::Relaxed)
            && !self.offer_row(remove_session(&session.row.token_hash))
        {
            session.dropped.store(false, Ordering::Relaxed);
        }
    }

    /// Hands a change over without waiting; whether there was room for it.
    fn offer_row(&self, row: RowChange) -> bool {
        let job = Job {
            change: Change::Rows(vec![row]),
            urgent: false,
            keep: false,
            reply: None,
        };
        self.shared.committer.offer(job).is_ok()
    }
}

impl Accounts {
    fn session(&self, token: &str) -> Option<Arc<Session>> {
        let hash = self.hash(token);
        let session = self.sessions.get(&hash)?;
        bool::from(session.row.token_hash.ct_eq(&hash)).then_some(session)
    }

    /// The sessions of a user that make room for a new one.
    fn sessions_to_end(
        &self,
        writing: &Writing,
        user_id: u64,
        now: Now,
        limits: SessionLimits,
        force: bool,
    ) -> Vec<(u64, [u8; 32])> {
        let all = writing.all_sessions_of(user_id);
        if force {
            return all;
        }
        let is_over = |hash: &[u8; 32]| {
            let session = self.sessions.get(hash);
            session.is_none_or(|session| session.is_over(now, limits))
        };
        let (mut ended, mut lasting): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(_, hash)| is_over(hash));
        let room = limits.per_user.clamp(1, SESSIONS_PER_USER_MAX) - 1;
        let surplus = lasting.len().saturating_sub(room);
        ended.extend(lasting.drain(..surplus));
        ended
    }

    /// After the commit: these sessions open nothing any more.
    pub(super) fn forget_sessions(
        &self,
        writing: &mut Writing,
        user_id: u64,
        ended: &[(u64, [u8; 32])],
    ) {
        let mut held = writing.sessions_of.get_mut(&user_id);
        for (id, hash) in ended {
            self.sessions.remove(hash);
            if let Some(held) = &mut held {
                held.remove(id);
            }
        }
    }
}

impl Writing {
    /// A user's sessions, oldest first.
    pub(super) fn all_sessions_of(&self, user_id: u64) -> Vec<(u64, [u8; 32])> {
        let held = self.sessions_of.get(&user_id).into_iter().flatten();
        held.map(|(id, hash)| (*id, *hash)).collect()
    }
}

/// Sessions as they were stored. One from the future, left by a clock that was set back while
/// nobody looked, has ended: there is no telling how long it would last.
pub(super) fn load(rows: Vec<SessionRow>, now: Now) -> Vec<Session> {
    let latest = u128::from(now.wall) + SESSION_AHEAD_MAX.as_millis();
    let rows = rows.into_iter().filter(|row| {
        let last = row.created_at.max(row.used_at);
        u128::from(last.0) <= latest
    });
    rows.map(|row| {
        let opened = row.created_at.0.min(now.steady);
        let used = row.used_at.0.min(now.steady);
        Session::new(row, opened, used)
    })
    .collect()
}

/// Letters and digits of a token's random part, 5.95 bits each.
const TOKEN_LETTERS: usize = 128;
