//! What devices had seen of the journal when they signed.
//!
//! A decision names the last checkpoint that its device had verified. A log that shows two histories is found out by
//! whoever sees one of them and is handed what was signed upon the other.

use countersign_domain::{
    Digest,
    journal::Frontier,
    record::{Decision, Kind},
};
use rusqlite::{Connection, params};

use crate::{
    OtherHistory, StorageError,
    entries::{self, COLUMNS, Content, HEADER, to_sql},
};

/// The level of the nodes that are kept: each is over 256 entries.
const LEVEL: u32 = 8;

/// That the device which has signed entry `seq` had seen the first `size` entries, and the root over them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Witness {
    size: u64,
    root: Digest,
    seq: u64,
}

impl Witness {
    pub(crate) const fn new(size: u64, root: Digest, seq: u64) -> Self {
        Self { size, root, seq }
    }

    /// What entry `seq` says was seen, if it says so.
    pub(crate) fn of(seq: u64, content: &Content) -> Option<Self> {
        let Content::Known(record) = content else {
            return None;
        };
        if record.kind != Kind::Decision || record.signature.is_none() {
            return None;
        }
        let seen = record.body::<Decision>().ok()?.checkpoint?;
        Some(Self::new(seen.size, seen.root, seq))
    }

    /// What shows that it had seen another journal than the one under `head`, where its entry stands.
    pub(crate) fn other_history(
        self,
        connection: &Connection,
        head: String,
    ) -> Result<OtherHistory, StorageError> {
        let sql = format!("SELECT {COLUMNS} FROM entry LEFT JOIN body USING (seq) WHERE entry.seq = ?1");
        let mut statement = connection.prepare_cached(&sql)?;
        let entry = statement.query_row([to_sql(self.seq)?], |row| Ok(entries::from_row(row)))??;
        let record = entry
            .record()
            .ok_or_else(|| StorageError::damaged("its entry is not there"))?;
        Ok(OtherHistory {
            seq: self.seq,
            size: self.size,
            head,
            record: record.to_envelope(),
        })
    }
}

/// Roots over each 256 entries, as far as somebody has asked: what is between is read when it is asked for. Of a million
/// entries they are 125 KB.
#[derive(Debug, Default)]
pub(crate) struct Blocks(Vec<Digest>);

impl Blocks {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The first of the witnesses that had seen another journal than the one whose entries are stored here.
    pub(crate) fn contradicted(
        &mut self,
        connection: &Connection,
        mut witnesses: Vec<Witness>,
    ) -> Result<Option<Witness>, StorageError> {
        witnesses.sort_unstable();
        let mut tree = Frontier::new();
        for witness in witnesses {
            // Nobody had seen what came after.
            if witness.size >= witness.seq {
                return Ok(Some(witness));
            }
            if witness.size >> LEVEL > tree.size() >> LEVEL {
                tree = self.tree(connection, witness.size >> LEVEL)?;
            }
            let between = leaves(connection, tree.size(), witness.size)?;
            between.into_iter().for_each(|leaf| drop(tree.append(leaf)));
            if tree.size() != witness.size || tree.root() != witness.root {
                return Ok(Some(witness));
            }
        }
        Ok(None)
    }

    /// The tree of the first `blocks` blocks.
    fn tree(&mut self, connection: &Connection, blocks: u64) -> Result<Frontier, StorageError> {
        for block in self.0.len() as u64..blocks {
            let leaves = leaves(connection, block << LEVEL, (block + 1) << LEVEL)?;
            self.0.push(root(&leaves));
        }
        let size = blocks << LEVEL;
        Frontier::stored(size, |level, index| {
            let width = 1_usize << (level - LEVEL);
            let start = usize::try_from(index).map_err(StorageError::damaged)? * width;
            let under = self.0.get(start..start + width);
            under
                .map(root)
                .ok_or_else(|| StorageError::damaged("an entry is missing"))
        })
    }
}

/// The root over nodes of one level.
fn root(nodes: &[Digest]) -> Digest {
    let mut tree = Frontier::new();
    for node in nodes {
        tree.append(*node);
    }
    tree.root()
}

/// Hashes of the entries after `after` up to `end`.
fn leaves(connection: &Connection, after: u64, end: u64) -> Result<Vec<Digest>, StorageError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {HEADER} FROM entry WHERE seq > ?1 AND seq <= ?2 ORDER BY seq"
    ))?;
    let mut rows = statement.query(params![to_sql(after)?, to_sql(end)?])?;
    let mut leaves = Vec::new();
    while let Some(row) = rows.next()? {
        leaves.push(entries::header(row)?.leaf_hash());
    }
    Ok(leaves)
}
