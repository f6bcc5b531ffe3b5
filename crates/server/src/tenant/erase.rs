//! Erasing what was written about a finished proposal, because somebody has asked for it or the tenant's rules keep it no
//! longer: the bodies go, the headers and every proof over them stay (threats.md §1, features.md row 101).

use countersign_domain::{
    Digest, Millis, Record, UnixMillis, acts,
    fold::{ProposalState, Status},
    id::{ProposalId, UserId},
    people::People,
    record::{Body as _, Erase, Proposal, Reason, Risk, kept, shortest_kept},
};
use rusqlite::{Connection, params};

use super::{
    Tenant,
    desk::{Desk, to_sql},
    entries,
    proposals::{self, Stored},
    writer::{Answer, StoreError},
};
use crate::random;

/// Most that are erased before the files beside the tenant's own are cleared of them.
const AT_ONCE: usize = 200;

/// On whose word something is erased.
#[derive(Debug, Clone, Copy)]
enum Word {
    /// An owner's or admin's.
    Person(UserId),
    /// The table's that this record put in force.
    Rules(Digest),
}

/// Why nothing was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EraseRefusal {
    /// No such proposal, or one that is erased already.
    NotFound,
    /// It is not over.
    Open(Status),
    Reason(Reason),
}

impl Tenant {
    /// Erases what an agent, a tool or a person has written about a proposal that is over. It is gone from the file when this
    /// answers, and from the snapshot that new desktops take; a desktop erases its copy when it hears of it.
    ///
    /// # Errors
    /// When the store fails; inside, why nothing was erased.
    pub async fn erase(&self, id: ProposalId, by: UserId, reason: String) -> Answer<(), EraseRefusal> {
        let erased = self.erase_on(Word::Person(by), id, reason).await?;
        if erased.is_ok() {
            self.settle_erasures().await?;
        }
        Ok(erased)
    }

    /// Erases what was written about requests that have been over for longer than the tenant's rules keep it: the oldest
    /// [`AT_ONCE`]. Gives how many it were.
    ///
    /// # Errors
    /// When the store or the disk fails.
    pub(crate) async fn erase_outlived(&self) -> Result<usize, StoreError> {
        let (people, now) = (self.people(), self.now());
        let Some(rules) = people.rules.digest else {
            return Ok(0);
        };
        let mut erased = 0;
        for (id, reason) in self.read(move |db| outlived(db, &people, now)).await? {
            // Other rules may have come, or somebody may have had it erased.
            let gone = self.erase_on(Word::Rules(rules), id, reason).await?;
            erased += usize::from(gone.is_ok());
        }
        if erased > 0 {
            self.settle_erasures().await?;
        }
        Ok(erased)
    }

    async fn erase_on(&self, word: Word, id: ProposalId, reason: String) -> Answer<(), EraseRefusal> {
        let Some(stored) = self.proposal(id).await? else {
            return Ok(Err(EraseRefusal::NotFound));
        };
        let (from, until) = (stored.state.created_seq, stored.state.last_seq);
        // Entries about one proposal lie apart in the file: looked for here, so that nobody waits for it behind the writer.
        let seqs = self
            .read(move |connection| erasable(connection, id, from, until))
            .await?;
        self.write(move |desk| erase(desk, id, word, &reason, &seqs, until))
            .await
    }

    /// Takes what was erased out of every file beside the tenant's own. Also after a start: the process may have ended in
    /// between.
    ///
    /// # Errors
    /// When the store or the disk fails.
    pub(crate) async fn settle_erasures(&self) -> Result<(), StoreError> {
        let newest = self
            .read(|db| {
                let newest = "SELECT max(seq) FROM erasure WHERE settled = 0";
                Ok(db.query_row(newest, [], |row| row.get::<_, Option<i64>>(0))?)
            })
            .await?;
        let Some(newest) = newest else {
            return Ok(());
        };
        self.drop_snapshot().await?;
        if self.flush().await? {
            let settled = self.write(move |desk| {
                let settle = "UPDATE erasure SET settled = 1 WHERE seq <= ?1";
                desk.connection().execute(settle, [newest])?;
                Ok(Ok::<_, std::convert::Infallible>(()))
            });
            let Ok(()) = settled.await?;
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) async fn forget_that_erasures_are_settled(&self) {
        let forgot = self.write(|desk| {
            desk.connection().execute("UPDATE erasure SET settled = 0", [])?;
            Ok(Ok::<_, std::convert::Infallible>(()))
        });
        let Ok(()) = forgot.await.expect("the store answers");
    }

    /// Writes the log back into the file and empties it: what was overwritten there is nowhere any more. False when
    /// somebody still reads it.
    async fn flush(&self) -> Result<bool, StoreError> {
        let path = self.inner.path.clone();
        let flushed = tokio::task::spawn_blocking(move || -> Result<bool, rusqlite::Error> {
            let connection = Connection::open(path)?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        });
        // A reader that takes its time keeps the log: it is emptied by the next one that is let.
        let busy = flushed.await.map_err(StoreError::damaged)??;
        if busy {
            tracing::warn!(
                "What was erased stays in the write-ahead log until the tenant has a quiet moment"
            );
        }
        Ok(!busy)
    }
}

fn erase(
    desk: &mut Desk,
    id: ProposalId,
    word: Word,
    reason: &str,
    found: &[u64],
    until: u64,
) -> Answer<(), EraseRefusal> {
    let Some(mut stored) = desk.proposal(id)? else {
        return Ok(Err(EraseRefusal::NotFound));
    };
    let last = last_at(desk.connection(), &stored.state)?;
    desk.settle(&mut stored)?;
    let now = desk.now();
    let (by, rules) = match word {
        Word::Person(by) => (Some(by), None),
        Word::Rules(rules) => (None, Some(rules)),
    };
    let erase = Erase {
        at: now,
        by,
        nonce: random::nonce(),
        proposal: id,
        reason: reason.to_owned(),
        rules,
        tenant: desk.tenant(),
    };
    match acts::erase(desk.people(), &stored.state, &erase, last, now) {
        Ok(()) => {}
        Err(Reason::TooLate) => return Ok(Err(EraseRefusal::Open(stored.status(now)))),
        Err(reason) => return Ok(Err(EraseRefusal::Reason(reason))),
    }
    let newer = erasable(desk.connection(), id, until + 1, stored.state.last_seq)?;
    let record = Record::unsigned(&erase).map_err(StoreError::damaged)?;
    let seq = desk.append_about(&record, erase.subject())?;
    let db = desk.connection();
    let before: i64 = db.query_row("PRAGMA secure_delete", [], |row| row.get(0))?;
    db.pragma_update(None, "secure_delete", true)?;
    let removed = remove(desk, &stored, seq, found.iter().chain(&newer));
    desk.connection().pragma_update(None, "secure_delete", before)?;
    removed?;
    desk.forget(id);
    Ok(Ok(()))
}

/// What has been over for longer than the rules keep it, oldest first, each with a sentence that says so.
fn outlived(
    db: &Connection,
    people: &People,
    now: UnixMillis,
) -> Result<Vec<(ProposalId, String)>, StoreError> {
    let table = &people.rules.table;
    let mut found = Vec::new();
    let Some(shortest) = shortest_kept(table) else {
        return Ok(found);
    };
    let sql = format!(
        "SELECT {}, at_ms, tool, risk FROM proposal JOIN entry ON seq = created_seq ORDER BY created_seq",
        proposals::COLUMNS
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let proposed = UnixMillis(row.get(6)?);
        // Entries are in the order of their times: what follows is younger.
        if proposed + shortest > now || found.len() == AT_ONCE {
            break;
        }
        let (tool, risk): (String, u8) = (row.get(7)?, row.get(8)?);
        let risk = Risk::ALL.get(usize::from(risk));
        let kept = risk.and_then(|risk| kept(table, &tool, *risk));
        let Some(kept) = kept.filter(|kept| proposed + *kept <= now) else {
            continue;
        };
        let state = proposals::read(row)?.state;
        let over = state.over_since(last_at(db, &state)?, now);
        if over.is_some_and(|over| acts::kept_until(people, &state, over).is_some_and(|until| until <= now)) {
            let days = kept.0 / Millis::hours(24).0;
            let s = if days == 1 { "" } else { "s" };
            let reason = format!("The rules keep it for {days} day{s} after it is over.");
            found.push((state.id, reason));
        }
    }
    Ok(found)
}

/// The time of a proposal's newest entry.
fn last_at(db: &Connection, state: &ProposalState) -> Result<UnixMillis, StoreError> {
    let mut time = db.prepare_cached("SELECT at_ms FROM entry WHERE seq = ?1")?;
    Ok(UnixMillis(
        time.query_row([to_sql(state.last_seq)?], |row| row.get(0))?,
    ))
}

/// The entries about a proposal, from `from` to `until`, whose bodies an erasure takes.
fn erasable(db: &Connection, id: ProposalId, from: u64, until: u64) -> Result<Vec<u64>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT seq, kind, bytes FROM entry
         WHERE seq >= ?1 AND seq <= ?2 AND subject = ?3 AND bytes IS NOT NULL ORDER BY seq",
    )?;
    let mut rows = statement.query(params![to_sql(from)?, to_sql(until)?, format!("proposal/{id}")])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let kind: String = row.get(1)?;
        if entries::record(&kind, row.get(2)?, None)?.is_erasable() {
            found.push(row.get::<_, i64>(0)?.unsigned_abs());
        }
    }
    Ok(found)
}

/// Takes out the bodies, and everything that was made from them.
fn remove<'a>(
    desk: &Desk,
    stored: &Stored,
    seq: u64,
    bodies: impl Iterator<Item = &'a u64>,
) -> Result<(), StoreError> {
    let (db, id) = (desk.connection(), stored.state.id);
    let created = to_sql(stored.state.created_seq)?;
    let (_, record) = entries::record_at(db, stored.state.created_seq)?;
    let intent = record.body::<Proposal>().map_err(StoreError::damaged)?.intent();
    // That somebody said no to this, who and when stays: the same request is not to come back as a new one.
    super::denials::forget_words(desk, id, intent.map_err(StoreError::damaged)?)?;
    // The index has no text of its own: it has to be told what it was. Otherwise a deleted word is only marked as such.
    db.execute(
        "INSERT INTO proposal_text (proposal_text, rank) VALUES ('secure-delete', 1)",
        [],
    )?;
    db.execute(
        "INSERT INTO proposal_text (proposal_text, rowid, text)
         SELECT 'delete', created_seq, sentence FROM proposal
         WHERE created_seq = ?1 AND created_seq <= (SELECT seq FROM indexed)",
        [created],
    )?;
    db.execute("DELETE FROM proposal WHERE created_seq = ?1", [created])?;
    if let Some(receipt) = stored.receipt_seq {
        db.execute("DELETE FROM task WHERE seq = ?1", [to_sql(receipt)?])?;
    }
    let mut body =
        db.prepare_cached("UPDATE entry SET bytes = NULL, keyid = NULL, sig = NULL WHERE seq = ?1")?;
    for seq in bodies {
        body.execute([to_sql(*seq)?])?;
    }
    db.execute(
        "INSERT INTO erasure (seq, proposal, proposer) VALUES (?1, ?2, ?3)",
        params![to_sql(seq)?, &id.as_bytes()[..], stored.state.proposer.id],
    )?;
    Ok(())
}

/// How many erasures there have been: what is exported depends on it.
pub(super) fn count(db: &Connection) -> Result<u64, StoreError> {
    let count: i64 = db.query_row("SELECT count(*) FROM erasure", [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}
