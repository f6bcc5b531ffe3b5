//! The journal on its way out: pieces of its bundle, made as they are asked for.

use countersign_domain::{
    bundle::{Profile, Writer},
    dsse::SigningKey,
    id::TenantId,
    journal::{Checkpoint, Frontier, consistency_proof, verify_consistency},
    wire::{Head, WireEntry},
};
use rusqlite::Connection;

use super::{Tenant, entries, writer::StoreError};

/// A bundle in the making, for whoever reads the file. Each piece is read by itself: a slow taker holds nothing open in it.
#[derive(Debug)]
pub(crate) struct Bundle {
    size: u64,
    writer: Writer,
    /// The first line, until it is out.
    opening: Option<Vec<u8>>,
}

impl Bundle {
    /// Begins the bundle of the journal that `checkpoint` is about. `key` is the log's.
    ///
    /// # Errors
    /// Never in practice: the first line is within the canonical profile.
    pub(crate) fn begin(
        checkpoint: &Checkpoint,
        profile: Profile,
        key: SigningKey,
    ) -> Result<Self, StoreError> {
        let (writer, opening) = Writer::begin(checkpoint, profile, key).map_err(StoreError::damaged)?;
        Ok(Self {
            size: checkpoint.size,
            writer,
            opening: Some(opening),
        })
    }

    /// How many entries are written.
    pub(crate) fn entries(&self) -> u64 {
        self.writer.next().map_or(self.size, |(after, _)| after)
    }

    /// The next bytes, and what is left to do.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn piece(mut self, connection: &Connection) -> Result<(Vec<u8>, Option<Self>), StoreError> {
        if let Some(opening) = self.opening.take() {
            return Ok((opening, Some(self)));
        }
        let Some((after, count)) = self.writer.next() else {
            return Ok((self.writer.end().map_err(StoreError::damaged)?, None));
        };
        let limit = u32::try_from(count).map_err(StoreError::damaged)?;
        let entries = entries::range(connection, after, self.size, limit)?;
        let lines = self.writer.segment(&entries).map_err(StoreError::damaged)?;
        Ok((lines, Some(self)))
    }
}

/// What the file is called, so that nobody takes one for another.
pub(crate) fn file_name(tenant: TenantId, size: u64, rest: &str) -> String {
    format!("countersign-{tenant}-{size}-{rest}")
}

/// A bundle in the making, of a tenant that is served.
pub(crate) struct Export {
    tenant: Tenant,
    /// How many erasures there had been when it was begun.
    erasures: u64,
    bundle: Bundle,
}

impl Tenant {
    /// The bundle of the first `size` entries, or of all; `None` when there are not so many.
    ///
    /// # Errors
    /// When the store fails, or its tree is not the one that was signed.
    pub(crate) async fn export(
        &self,
        size: Option<u64>,
        profile: Profile,
    ) -> Result<Option<Export>, StoreError> {
        let head = self.head();
        let size = size.unwrap_or(head.size);
        if size == 0 || size > head.size {
            return Ok(None);
        }
        let tenant = self.id();
        let (root, erasures) = self
            .read(move |connection| {
                Ok((
                    root_at(connection, size, &head)?,
                    super::erase::count(connection)?,
                ))
            })
            .await?;
        let checkpoint = Checkpoint { tenant, size, root };
        Ok(Some(Export {
            tenant: self.clone(),
            erasures,
            bundle: Bundle::begin(&checkpoint, profile, self.inner.log_key.clone())?,
        }))
    }

    /// The entries after `after`, up to `until`, at most `limit`, with every body.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn entries(
        &self,
        after: u64,
        until: u64,
        limit: u32,
    ) -> Result<Vec<WireEntry>, StoreError> {
        self.read(move |connection| entries::range(connection, after, until, limit))
            .await
    }
}

impl Export {
    /// How many entries it is for.
    pub(crate) const fn size(&self) -> u64 {
        self.bundle.size
    }

    /// How many erasures there had been: the bytes are the same only while there are no more.
    pub(crate) const fn erasures(&self) -> u64 {
        self.erasures
    }

    /// The next bytes, and what is left to do.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn piece(self) -> Result<(Vec<u8>, Option<Self>), StoreError> {
        let Self {
            tenant,
            erasures,
            bundle,
        } = self;
        let (piece, rest) = tenant.read(move |connection| bundle.piece(connection)).await?;
        let rest = rest.map(|bundle| Self {
            tenant,
            erasures,
            bundle,
        });
        Ok((piece, rest))
    }
}

/// The root at an earlier size. It is signed again, so it must be the one that has been: the log signs no two histories,
/// whatever has become of its file.
fn root_at(
    connection: &Connection,
    size: u64,
    head: &Head,
) -> Result<countersign_domain::Digest, StoreError> {
    if size == head.size {
        return Ok(head.root);
    }
    let node = |level, index| entries::node(connection, level, index);
    let root = Frontier::stored(size, node)?.root();
    let proof =
        consistency_proof(size, head.size, node).map_err(|error| StoreError::damaged(error.to_string()))?;
    verify_consistency(size, root, head.size, head.root, &proof)
        .map_err(|_| StoreError::damaged("the stored tree is not the one that was signed"))?;
    Ok(root)
}

/// Looks over a test's shoulder: when it is dropped, the journal that the test has made must be whole and in order.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Auditor {
    path: std::path::PathBuf,
    tenant: TenantId,
    key: SigningKey,
}

#[cfg(test)]
impl Tenant {
    pub(crate) fn auditor(&self) -> Auditor {
        Auditor {
            path: self.inner.path.clone(),
            tenant: self.inner.id,
            key: self.inner.log_key.clone(),
        }
    }
}

#[cfg(test)]
impl Auditor {
    pub(crate) fn examine(&self, profile: Profile) -> countersign_verify::Report {
        let file = super::open_reader(&self.path).unwrap();
        let frontier: Vec<u8> = file
            .query_row("SELECT frontier FROM head", [], |row| row.get(0))
            .unwrap();
        let frontier = Frontier::from_bytes(&frontier).unwrap();
        let checkpoint = Checkpoint {
            tenant: self.tenant,
            size: frontier.size(),
            root: frontier.root(),
        };
        let mut bytes = Vec::new();
        let mut left = Some(Bundle::begin(&checkpoint, profile, self.key.clone()).unwrap());
        while let Some(bundle) = left {
            let (piece, rest) = bundle.piece(&file).unwrap();
            bytes.extend(piece);
            left = rest;
        }
        let options = countersign_verify::Options {
            trust: Some(self.key.public_key()),
            proposal: None,
        };
        countersign_verify::verify(&bytes[..], &options).unwrap()
    }
}

#[cfg(test)]
impl Drop for Auditor {
    fn drop(&mut self) {
        // A test that goes on with the folder alone has its own story to tell.
        if std::thread::panicking() || !self.path.exists() {
            return;
        }
        for profile in [Profile::Full, Profile::Redacted] {
            let report = self.examine(profile);
            assert_eq!(
                report.verdict,
                countersign_verify::Verdict::Whole,
                "an auditor would not believe the journal of this test ({}):\n{report}",
                profile.name()
            );
        }
    }
}
