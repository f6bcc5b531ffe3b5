//! Finding by words.

use countersign_domain::{UnixMillis, id::ProposalId};
use rusqlite::{named_params, params};

use super::{
    MAX_ROWS,
    row::{COLUMNS, Row, read},
};
use crate::{Reader, StorageError, search};

impl Reader {
    /// Proposals with all these words, at most `limit`: those that say them in their one line first, then the newest.
    /// Ranks the newest 2,000 hits only.
    ///
    /// # Errors
    /// When the database fails.
    pub fn search(&self, words: &str, limit: u32, now: UnixMillis) -> Result<Vec<Row>, StorageError> {
        let Some(query) = self.query(words)? else {
            return Ok(Vec::new());
        };
        let now = self.clock(now)?;
        let wanted: Vec<String> = search::words(words)
            .0
            .into_iter()
            .map(str::to_lowercase)
            .collect();
        let sql = hits_sql(COLUMNS);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(named_params! {":query": query, ":seq": i64::MAX, ":hits": RANKED})?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let row = read(row, now)?;
            let line = row.sentence.to_lowercase();
            let missing = wanted.iter().filter(|word| !line.contains(*word)).count();
            found.push((missing, row));
        }
        // Stable, so that equals stay newest first.
        found.sort_by_key(|(missing, _)| *missing);
        Ok(found
            .into_iter()
            .take(limit.min(MAX_ROWS) as usize)
            .map(|(_, row)| row)
            .collect())
    }

    /// The query for what a person typed; `None` when there is no word in it.
    pub(super) fn query(&self, typed: &str) -> Result<Option<String>, StorageError> {
        let (mut words, open) = search::words(typed);
        if !typed.is_ascii() {
            // Whether it is one word, the tokenizer alone knows; the index has no place for two in a row.
            let mut probe = self
                .connection
                .prepare_cached("SELECT 1 FROM proposal_text WHERE proposal_text MATCH ?1 LIMIT 1")?;
            words.retain(|word| word.is_ascii() || probe.exists([format!("\"{word}\"")]).is_ok());
        }
        Ok(search::query(&words, open))
    }

    /// Whether a proposal is found by the words of its own line.
    pub(crate) fn is_searchable(&self, id: ProposalId) -> Result<bool, StorageError> {
        let (seq, sentence): (i64, String) = self
            .connection
            .prepare_cached("SELECT created_seq, sentence FROM proposal WHERE id = ?1")?
            .query_row([&id.as_bytes()[..]], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some(query) = self.query(&format!("{sentence} "))? else {
            return Ok(true);
        };
        Ok(self
            .connection
            .prepare_cached("SELECT 1 FROM proposal_text WHERE proposal_text MATCH ?1 AND rowid = ?2")?
            .exists(params![query, seq])?)
    }
}

/// How many hits are ranked.
const RANKED: u32 = 500;

/// Hits of a search from `:seq` on, newest first, at most `:hits`, with these columns.
pub(super) fn hits_sql(columns: &str) -> String {
    format!(
        "SELECT {columns} FROM proposal_text CROSS JOIN proposal ON proposal.created_seq = proposal_text.rowid
         WHERE proposal_text MATCH :query AND proposal_text.rowid < :seq
         ORDER BY proposal_text.rowid DESC LIMIT :hits"
    )
}
