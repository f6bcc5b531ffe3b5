//! Finding proposals by the words of their sentences.
//!
//! The index is filled when somebody searches, as far as it is behind then. A search so finds all that is committed, and
//! a tenant in which nobody searches does not pay for one.

use rusqlite::Connection;

use super::{
    Tenant,
    desk::Desk,
    writer::{Answer, StoreError},
};

/// How many sentences one command takes: it bounds how long others wait for the writer.
const AT_ONCE: i64 = 2_000;

impl Tenant {
    /// Brings the index to the newest proposal.
    pub(super) async fn index_sentences(&self) -> Result<(), StoreError> {
        if !self.read(is_behind).await? {
            return Ok(());
        }
        loop {
            let more = match self.write(index_some).await? {
                Ok(more) => more,
                Err(never) => match never {},
            };
            if !more {
                return Ok(());
            }
        }
    }
}

fn is_behind(connection: &Connection) -> Result<bool, StoreError> {
    let mut newer = connection
        .prepare_cached("SELECT 1 FROM proposal WHERE created_seq > (SELECT seq FROM indexed) LIMIT 1")?;
    Ok(newer.exists([])?)
}

/// Takes the oldest that are missing. True when there are more.
fn index_some(desk: &mut Desk) -> Answer<bool, std::convert::Infallible> {
    let connection = desk.connection();
    let until: Option<i64> = connection
        .prepare_cached(
            "SELECT max(created_seq) FROM (SELECT created_seq FROM proposal
             WHERE created_seq > (SELECT seq FROM indexed) ORDER BY created_seq LIMIT ?1)",
        )?
        .query_row([AT_ONCE], |row| row.get(0))?;
    let Some(until) = until else {
        return Ok(Ok(false));
    };
    connection
        .prepare_cached(
            "INSERT INTO proposal_text (rowid, text) SELECT created_seq, sentence FROM proposal
             WHERE created_seq > (SELECT seq FROM indexed) AND created_seq <= ?1",
        )?
        .execute([until])?;
    connection
        .prepare_cached("UPDATE indexed SET seq = ?1")?
        .execute([until])?;
    Ok(Ok(is_behind(connection)?))
}

/// The FTS5 query for proposals that have words beginning with each of these, in any order. Every word is quoted, so
/// nothing that a caller sends is syntax.
pub(super) fn query(words: &[String]) -> String {
    let quoted = words
        .iter()
        .map(|word| format!("\"{}\"*", word.replace('"', "\"\"").replace('\0', " ")));
    quoted.collect::<Vec<_>>().join(" ")
}
