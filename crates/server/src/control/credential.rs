//! From a bearer token to who brought it: sessions and agents' keys, with a cache in front.
//!
//! INVARIANT: the cache changes only while the store's connection is held, together with the row it mirrors: what has
//! been revoked is revoked in both before the revocation is answered, and no look-up brings it back.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};

use countersign_domain::{
    Digest, Millis, UnixMillis,
    id::{AgentId, TenantId, UserId},
};
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::watch;

use super::{Control, ControlError, Token, TokenKind};

/// How long a session lives after its last use.
const SESSION: Millis = Millis::hours(30 * 24);
/// How often a use is written down.
const TOUCH: Millis = Millis::seconds(60);
/// Most sessions of one person; one that is over makes room, else the one used longest ago.
const SESSIONS_EACH: i64 = 50;
/// Most credentials kept ready. A full cache is emptied: filling it again costs one look-up for each.
const KEPT: usize = 20_000;

/// A session's name: the hash of its token.
pub(crate) type SessionId = Digest;

/// Whom a credential stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Identity {
    Person { user: UserId, session: SessionId },
    Agent { tenant: TenantId, agent: AgentId },
}

/// What somebody's token turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Brought {
    Live(Identity),
    /// It has expired or was signed out: whoever brings it once had the right one.
    Ended(Identity),
    /// No token, or one that we do not know.
    Unknown,
}

/// Credentials that were looked up.
#[derive(Default)]
pub(crate) struct Cache {
    kept: RwLock<HashMap<Digest, Arc<Entry>>>,
    /// Changes whenever one has been revoked.
    ended: watch::Sender<()>,
}

struct Entry {
    identity: Identity,
    expires: AtomicI64,
    used: AtomicI64,
}

impl Entry {
    fn is_live(&self, now: UnixMillis) -> bool {
        self.expires.load(Ordering::Relaxed) > now.0
    }
}

impl Cache {
    fn get(&self, hash: &Digest) -> Option<Arc<Entry>> {
        self.kept
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(hash)
            .map(Arc::clone)
    }

    fn put(&self, hash: Digest, entry: Arc<Entry>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(hash, entry);
    }

    pub(super) fn forget(&self, hash: &Digest) {
        self.kept
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(hash);
        self.ended.send_replace(());
    }
}

impl Control {
    /// Whom the token stands for, and whether it still does.
    pub(crate) async fn identify(&self, token: &str, now: UnixMillis) -> Result<Brought, ControlError> {
        let Some((kind, hash)) = Token::read(token) else {
            return Ok(Brought::Unknown);
        };
        let Some(entry) = self.known(kind, hash).await? else {
            return Ok(Brought::Unknown);
        };
        if !entry.is_live(now) {
            return Ok(Brought::Ended(entry.identity));
        }
        if let Identity::Person { session, .. } = entry.identity {
            self.touch(&entry, session, now);
        }
        Ok(Brought::Live(entry.identity))
    }

    /// Whether the session still counts. Asking is no use of it: it does not live longer for that.
    pub(crate) async fn has_session(
        &self,
        session: SessionId,
        now: UnixMillis,
    ) -> Result<bool, ControlError> {
        let entry = self.known(TokenKind::Session, session).await?;
        Ok(entry.is_some_and(|entry| entry.is_live(now)))
    }

    /// Follows revocations: changes whenever a credential has ended before its time.
    pub(crate) fn endings(&self) -> watch::Receiver<()> {
        self.credentials.ended.subscribe()
    }

    async fn known(&self, kind: TokenKind, hash: Digest) -> Result<Option<Arc<Entry>>, ControlError> {
        match self.credentials.get(&hash) {
            Some(entry) => Ok(Some(entry)),
            None => self.look_up(kind, hash).await,
        }
    }

    /// Opens a session.
    pub(crate) async fn open_session(&self, user: UserId, now: UnixMillis) -> Result<Token, ControlError> {
        let token = Token::new(TokenKind::Session);
        let hash = token.hash();
        self.call(move |connection, cache| {
            let user = &user.as_bytes()[..];
            let make_room = connection.transaction()?;
            let over: Vec<Digest> = make_room
                .prepare_cached(
                    "DELETE FROM session WHERE token IN
                         (SELECT token FROM session WHERE user_id = ?1 ORDER BY expires_ms DESC LIMIT -1 OFFSET ?2)
                     RETURNING token",
                )?
                .query_map(params![user, SESSIONS_EACH - 1], |row| row.get::<_, Vec<u8>>(0))?
                .map(|row| Digest::from_slice(&row?).map_err(ControlError::damaged))
                .collect::<Result<_, _>>()?;
            make_room
                .prepare_cached(
                    "INSERT INTO session (token, user_id, created_ms, used_ms, expires_ms) VALUES (?1, ?2, ?3, ?3, ?4)",
                )?
                .execute(params![hash.as_bytes(), user, now.0, (now + SESSION).0])?;
            make_room.commit()?;
            over.iter().for_each(|hash| cache.forget(hash));
            Ok(())
        })
        .await?;
        Ok(token)
    }

    /// Ends a session. When this returns, its token opens nothing; that it once did is remembered until its room is needed.
    pub(crate) async fn end_session(&self, session: SessionId) -> Result<(), ControlError> {
        self.call(move |connection, cache| {
            connection
                .prepare_cached("UPDATE session SET expires_ms = 0 WHERE token = ?1")?
                .execute([session.as_bytes()])?;
            cache.forget(&session);
            Ok(())
        })
        .await
    }

    /// Makes an agent's key. It opens nothing before the tenant's journal knows the agent.
    pub(crate) async fn add_agent_key(
        &self,
        tenant: TenantId,
        agent: AgentId,
        now: UnixMillis,
    ) -> Result<Token, ControlError> {
        let token = Token::new(TokenKind::Agent);
        let hash = token.hash();
        self.call(move |connection, _| {
            connection
                .prepare_cached(
                    "INSERT INTO agent_key (token, tenant, agent, created_ms) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    hash.as_bytes(),
                    &tenant.as_bytes()[..],
                    &agent.as_bytes()[..],
                    now.0
                ])?;
            Ok(())
        })
        .await?;
        Ok(token)
    }

    /// Forgets an agent's key.
    pub(crate) async fn remove_agent_key(&self, agent: AgentId) -> Result<(), ControlError> {
        self.call(move |connection, cache| {
            let hash: Option<Vec<u8>> = connection
                .prepare_cached("DELETE FROM agent_key WHERE agent = ?1 RETURNING token")?
                .query_row([&agent.as_bytes()[..]], |row| row.get(0))
                .optional()?;
            if let Some(hash) = hash {
                cache.forget(&Digest::from_slice(&hash).map_err(ControlError::damaged)?);
            }
            Ok(())
        })
        .await
    }

    async fn look_up(&self, kind: TokenKind, hash: Digest) -> Result<Option<Arc<Entry>>, ControlError> {
        self.call(move |connection, cache| {
            let entry = match kind {
                TokenKind::Session => session(connection, hash)?,
                TokenKind::Agent => agent(connection, hash)?,
                TokenKind::Invite => None,
            };
            let entry = entry.map(Arc::new);
            if let Some(entry) = &entry {
                cache.put(hash, Arc::clone(entry));
            }
            Ok(entry)
        })
        .await
    }

    /// Slides the session's end. Written at most once a minute, behind the request's back.
    fn touch(&self, entry: &Arc<Entry>, session: SessionId, now: UnixMillis) {
        let used = entry.used.load(Ordering::Relaxed);
        let due = now.since(UnixMillis(used)) >= TOUCH
            && entry
                .used
                .compare_exchange(used, now.0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !due {
            return;
        }
        let expires = (now + SESSION).0;
        entry.expires.store(expires, Ordering::Relaxed);
        let control = self.clone();
        tokio::spawn(async move {
            let written = control.call(move |connection, _| {
                // An earlier use may be written later, also after the session was ended: it stays so.
                connection
                    .prepare_cached(
                        "UPDATE session SET used_ms = max(used_ms, ?2), expires_ms = max(expires_ms, ?3)
                         WHERE token = ?1 AND expires_ms > 0",
                    )?
                    .execute(params![session.as_bytes(), now.0, expires])?;
                Ok(())
            });
            if let Err(error) = written.await {
                tracing::warn!("A session's last use could not be written: {error}");
            }
        });
    }
}

fn session(connection: &Connection, hash: Digest) -> Result<Option<Entry>, ControlError> {
    let row: Option<(Vec<u8>, i64, i64)> = connection
        .prepare_cached("SELECT user_id, used_ms, expires_ms FROM session WHERE token = ?1")?
        .query_row([hash.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((user, used, expires)) = row else {
        return Ok(None);
    };
    let user = UserId::from_slice(&user).map_err(ControlError::damaged)?;
    let identity = Identity::Person { user, session: hash };
    Ok(Some(Entry {
        identity,
        expires: AtomicI64::new(expires),
        used: AtomicI64::new(used),
    }))
}

fn agent(connection: &Connection, hash: Digest) -> Result<Option<Entry>, ControlError> {
    let row: Option<(Vec<u8>, Vec<u8>)> = connection
        .prepare_cached("SELECT tenant, agent FROM agent_key WHERE token = ?1")?
        .query_row([hash.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((tenant, agent)) = row else {
        return Ok(None);
    };
    let tenant = TenantId::from_slice(&tenant).map_err(ControlError::damaged)?;
    let agent = AgentId::from_slice(&agent).map_err(ControlError::damaged)?;
    let identity = Identity::Agent { tenant, agent };
    Ok(Some(Entry {
        identity,
        expires: AtomicI64::new(i64::MAX),
        used: AtomicI64::new(0),
    }))
}
