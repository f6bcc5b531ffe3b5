//! What can be read of a tenant's journal and of one proposal.

use countersign_domain::{
    Digest, UnixMillis,
    dsse::PublicKey,
    fold::ProposalState,
    id::{DeviceId, ProposalId, TaskId, TenantId},
    manifest::Pinned,
    people::People,
    record::{self, Body, Kind, Preview, Proposal, Receipt, TaskPriority},
    render::{self, RenderError, View},
    wire::WireEntry,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    Gap, ReadError, StorageError,
    entries::{self, COLUMNS, Content, about, about_proposal, from_sql, stored_content, to_sql},
    fold,
    inbox::Stored,
    project::{self, find_manifest},
};

/// Reads a replica. Cannot write; each has its own connection.
#[derive(Debug)]
pub struct Reader {
    pub(crate) connection: Connection,
}

/// Where the journal stands here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    pub tenant: TenantId,
    /// Signs the log's checkpoints; pinned when the replica began.
    pub log_key: PublicKey,
    /// Entries that are here; the newest one's sequence number.
    pub size: u64,
    pub root: Digest,
    /// The newest entry's time.
    pub last_at: UnixMillis,
    /// The newest checkpoint that was verified, as the signed note. It may be of more entries than are here yet.
    pub checkpoint: String,
    /// Entries of that checkpoint.
    pub checkpoint_size: u64,
}

/// One proposal with everything that its card is made from. All of it comes from bodies whose digests were recomputed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Card {
    pub state: ProposalState,
    /// Why it cannot be decided here.
    pub gap: Option<Gap>,
    pub proposal: Proposal,
    /// The newest preview.
    pub preview: Option<Preview>,
    /// How it ended, once it has.
    pub receipt: Option<Receipt>,
    /// `None` when the manifest that the proposal names is not here.
    pub manifest: Option<Pinned>,
    /// The connection in the configuration that the proposal names.
    pub connection: Option<record::Connection>,
}

/// Where a device stands in its own numbering, as far as the journal has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DeviceChain {
    /// The highest number that it has used; 0 when none.
    pub last_seq: u64,
    /// Digest of the record with that number.
    pub last: Option<Digest>,
    /// Two records with one number were seen.
    pub forked: bool,
}

/// A task that a run has made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    pub id: TaskId,
    /// The receipt's entry.
    pub seq: u64,
    pub title: String,
    pub description: Option<String>,
    pub due_date: Option<String>,
    pub priority: TaskPriority,
    pub created_at: UnixMillis,
    pub proposal: ProposalId,
}

/// Some tasks, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskPage {
    pub tasks: Vec<Task>,
    /// Goes into `before` for the next page.
    pub next: Option<u64>,
}

impl Card {
    /// The card that a person reads.
    ///
    /// # Errors
    /// When what the proposal names is not here.
    pub fn view(&self) -> Result<View, RenderError> {
        let manifest = self.manifest.as_ref().ok_or(RenderError::Manifest)?;
        if self.preview.is_none() && self.state.preview.is_some() {
            return Err(RenderError::Preview);
        }
        render::render(
            &self.proposal,
            self.state.digest,
            self.preview.as_ref(),
            manifest,
            self.connection.as_ref(),
        )
    }
}

impl Reader {
    /// Where the journal stands; `None` before the first page.
    ///
    /// # Errors
    /// When the database fails.
    pub fn head(&self) -> Result<Option<Head>, StorageError> {
        type Row = (Vec<u8>, Vec<u8>, i64, Vec<u8>, i64, String, i64);
        let row: Option<Row> = self
            .connection
            .prepare_cached(
                "SELECT tenant, log_key, head.size, head.root, last_ms, note, checkpoint.size FROM head, checkpoint
                 ORDER BY checkpoint.size DESC LIMIT 1",
            )?
            .query_row([], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                    row.get(6)?,
                ))
            })
            .optional()?;
        row.map(
            |(tenant, log_key, size, root, last_ms, checkpoint, checkpoint_size)| {
                Ok(Head {
                    tenant: TenantId::from_slice(&tenant).map_err(StorageError::damaged)?,
                    log_key: PublicKey::from_slice(&log_key).map_err(StorageError::damaged)?,
                    size: from_sql(size),
                    root: entries::digest(&root)?,
                    last_at: UnixMillis(last_ms),
                    checkpoint,
                    checkpoint_size: from_sql(checkpoint_size),
                })
            },
        )
        .transpose()
    }

    /// The time to go by: a clock that is behind the journal is wrong.
    ///
    /// # Errors
    /// When the database fails.
    pub fn clock(&self, now: UnixMillis) -> Result<UnixMillis, StorageError> {
        let last: Option<i64> = self
            .connection
            .prepare_cached("SELECT last_ms FROM head")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(last.map_or(now, |last| now.max(UnixMillis(last))))
    }

    /// Runs several reads over one state of the file, whatever is applied meanwhile.
    ///
    /// # Errors
    /// Those of `reads`, and when the database fails.
    pub fn together<T, E: From<StorageError>>(
        &self,
        reads: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self
            .connection
            .unchecked_transaction()
            .map_err(StorageError::from)?;
        let result = reads(self)?;
        transaction.commit().map_err(StorageError::from)?;
        Ok(result)
    }

    /// The entry with this sequence number.
    ///
    /// # Errors
    /// When the database fails.
    pub fn entry(&self, seq: u64) -> Result<Option<WireEntry>, StorageError> {
        Ok(self
            .entries(seq.saturating_sub(1), 1)?
            .into_iter()
            .find(|entry| entry.seq == seq))
    }

    /// The entries after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn entries(&self, after: u64, limit: u32) -> Result<Vec<WireEntry>, StorageError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM entry LEFT JOIN body USING (seq) WHERE entry.seq > ?1 ORDER BY entry.seq LIMIT ?2"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![to_sql(after)?, limit])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(entries::from_row(row)?);
        }
        Ok(found)
    }

    /// Everything that the journal has about one proposal, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub fn history(&self, id: ProposalId) -> Result<Vec<WireEntry>, StorageError> {
        about_proposal(&self.connection, id, entries::NEWEST)
    }

    /// One proposal, folded from its entries; `None` when it is not here or its own body is withheld.
    ///
    /// # Errors
    /// When a body is not the one that was journalled, what lists show of it is not what its entries say, or the
    /// database fails.
    pub fn proposal(&self, id: ProposalId) -> Result<Option<Card>, ReadError> {
        self.together(|reader| reader.card(id))
    }

    /// Whether there is an entry about `subject`, other than a proposal, with this record.
    ///
    /// # Errors
    /// When the database fails.
    pub fn has(&self, subject: &str, digest: Digest) -> Result<bool, StorageError> {
        let entries = about(&self.connection, subject)?;
        Ok(entries.iter().any(|entry| entry.digest == digest))
    }

    /// Whether there is an entry about a proposal with this record.
    ///
    /// # Errors
    /// When the database fails.
    pub fn has_about(&self, id: ProposalId, digest: Digest) -> Result<bool, StorageError> {
        Ok(self
            .connection
            .prepare_cached("SELECT 1 FROM entry WHERE proposal = ?1 AND digest = ?2")?
            .exists(params![&id.as_bytes()[..], &digest.as_bytes()[..]])?)
    }

    /// Whether an approved proposal waits for this device to run it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn has_due(&self, executor: DeviceId, now: UnixMillis) -> Result<bool, StorageError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT 1 FROM proposal INDEXED BY proposal_in_progress WHERE list = 'in_progress'
                 AND status = 'pending' AND executor = ?1 AND (lapses_ms IS NULL OR lapses_ms > ?2)",
            )?
            .exists(params![&executor.as_bytes()[..], now.0])?)
    }

    /// Whether an entry of this kind is about a proposal: `Erase` where what was written about it is gone, `Remark` where
    /// somebody has asked or answered something.
    ///
    /// # Errors
    /// When the database fails.
    pub fn has_entry(&self, id: ProposalId, kind: Kind) -> Result<bool, StorageError> {
        Ok(self
            .connection
            .prepare_cached("SELECT 1 FROM entry WHERE proposal = ?1 AND kind = ?2")?
            .exists(params![&id.as_bytes()[..], kind.name()])?)
    }

    fn card(&self, id: ProposalId) -> Result<Option<Card>, ReadError> {
        let row = self.stored(id)?;
        let mut history = self.history(id)?;
        let folded = fold::fold(id, &mut history, stored_content)?;
        let (folded, proposal, row) = match (folded, row) {
            (Some((folded, proposal)), Some(row)) => (folded, proposal, row),
            (None, None) => return Ok(None),
            (Some(_), None) | (None, Some(_)) => return Err(ReadError::Projection(id)),
        };
        let manifest = find_manifest(&self.connection, &proposal.tool.id, proposal.tool.manifest)?;
        let sentence = project::sentence(
            manifest.as_ref().map(|manifest| manifest.sentence.as_str()),
            &proposal,
        );
        let clock = self.clock(UnixMillis(i64::MIN))?;
        if row != Stored::of(&folded, sentence, clock) {
            return Err(ReadError::Projection(id));
        }
        let preview = match folded.state.preview {
            Some(digest) => body_of(&mut history, digest)?,
            None => None,
        };
        let receipt = match &folded.state.ended {
            Some(ended) => body_of(&mut history, ended.digest)?,
            None => None,
        };
        let connection = match &proposal.connection {
            Some(named) => self.named_connection(named)?,
            None => None,
        };
        Ok(Some(Card {
            state: folded.state,
            gap: folded.gap,
            proposal,
            preview,
            receipt,
            manifest,
            connection,
        }))
    }

    /// Who belongs to the tenant and what it can reach, folded from the journal. Where an entry cannot be read, withheld
    /// or of a later version, whoever it is about counts for nothing.
    ///
    /// # Errors
    /// When a body is not the one that was journalled, or the database fails.
    pub fn people(&self) -> Result<People, ReadError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM entry INDEXED BY entry_subject LEFT JOIN body USING (seq)
             WHERE subject IS NOT NULL ORDER BY entry.seq"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        let mut people = People::default();
        while let Some(row) = rows.next()? {
            let mut entry = entries::from_row(row)?;
            let read = match stored_content(&mut entry)? {
                Content::Known(record) => people.apply(entry.at, &record).is_ok(),
                Content::Missing | Content::Newer => false,
            };
            if !read {
                distrust(&mut people, &entry);
            }
        }
        Ok(people)
    }

    /// Where a device stands in its own numbering.
    ///
    /// # Errors
    /// When the database fails.
    pub fn device_chain(&self, device: DeviceId) -> Result<DeviceChain, StorageError> {
        let device = &device.as_bytes()[..];
        let newest: Option<(i64, Vec<u8>)> = self
            .connection
            .prepare_cached(
                "SELECT device_seq, digest FROM device_record WHERE device = ?1 ORDER BY device_seq DESC LIMIT 1",
            )?
            .query_row([device], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let forked = self
            .connection
            .prepare_cached("SELECT 1 FROM device_fork WHERE device = ?1")?
            .exists([device])?;
        Ok(match newest {
            None => DeviceChain::default(),
            Some((last_seq, digest)) => DeviceChain {
                last_seq: from_sql(last_seq),
                last: Some(entries::digest(&digest)?),
                forked,
            },
        })
    }

    /// Tasks, newest first, those before the entry `before`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn tasks(&self, before: Option<u64>, limit: u32) -> Result<TaskPage, StorageError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, id, title, description, due_date, priority, created_ms, proposal FROM task
             WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
        )?;
        let before = before.map_or(Ok(i64::MAX), to_sql)?;
        let mut rows = statement.query(params![before, limit.saturating_add(1)])?;
        let mut tasks = Vec::new();
        while let Some(row) = rows.next()? {
            tasks.push(Task {
                seq: from_sql(row.get(0)?),
                id: TaskId::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(StorageError::damaged)?,
                title: row.get(2)?,
                description: row.get(3)?,
                due_date: row.get(4)?,
                priority: match row.get_ref(5)?.as_str().map_err(StorageError::damaged)? {
                    "low" => TaskPriority::Low,
                    "high" => TaskPriority::High,
                    _ => TaskPriority::Normal,
                },
                created_at: UnixMillis(row.get(6)?),
                proposal: ProposalId::from_slice(&row.get::<_, Vec<u8>>(7)?)
                    .map_err(StorageError::damaged)?,
            });
        }
        let more = tasks.len() > limit as usize;
        tasks.truncate(limit as usize);
        let next = tasks.last().filter(|_| more).map(|task| task.seq);
        Ok(TaskPage { tasks, next })
    }

    /// The newest version of a connection that has the configuration a proposal names.
    fn named_connection(
        &self,
        named: &record::ConnectionRef,
    ) -> Result<Option<record::Connection>, ReadError> {
        let mut found = None;
        for mut entry in about(&self.connection, &format!("connection/{}", named.id))? {
            let Content::Known(record) = stored_content(&mut entry)? else {
                continue;
            };
            let Ok(connection) = record.body::<record::Connection>() else {
                continue;
            };
            if connection
                .config_digest()
                .is_ok_and(|config| config == named.config)
            {
                found = Some(connection);
            }
        }
        Ok(found)
    }
}

/// An entry that cannot be read may have taken something away: a role, a key, a connection.
fn distrust(people: &mut People, entry: &WireEntry) {
    let Some((what, id)) = entry.subject.split_once('/') else {
        return;
    };
    match what {
        "member" => {
            let member = id.parse().ok().and_then(|user| people.members.get_mut(&user));
            if let Some(member) = member {
                member.role = None;
            }
        }
        "device" => {
            let device = id.parse().ok().and_then(|device| people.devices.get_mut(&device));
            if let Some(device) = device {
                device.revoked_at.get_or_insert(entry.at);
            }
        }
        "agent" => {
            let agent = id.parse().ok().and_then(|agent| people.agents.get_mut(&agent));
            if let Some(agent) = agent {
                agent.revoked = true;
            }
        }
        "connection" => {
            let _ = id
                .parse()
                .ok()
                .and_then(|connection| people.connections.remove(&connection));
        }
        "invite" => {
            let _ = id.parse().ok().and_then(|invite| people.invites.remove(&invite));
        }
        "tool" => {
            let _ = people.tools.remove(id);
        }
        _ => {}
    }
}

fn body_of<B: Body>(history: &mut [WireEntry], digest: Digest) -> Result<Option<B>, ReadError> {
    for entry in history.iter_mut().filter(|entry| entry.digest == digest) {
        if let Content::Known(record) = stored_content(entry)? {
            return Ok(record.body().ok());
        }
    }
    Ok(None)
}
