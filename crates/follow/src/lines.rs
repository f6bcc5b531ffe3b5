//! A page of the journal as lines, when it is in order, and as an alarm when it is not.

use countersign_domain::{
    Digest, UnixMillis, canonical,
    dsse::PublicKey,
    id::TenantId,
    journal::{AlarmKind, Departure, Follower},
    record::{Genesis, Kind},
    wire::{JournalPage, WireEntry},
};
use serde::{Serialize, ser::SerializeMap as _};
use serde_json::value::RawValue;

/// The log does not go on as it was.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{problem}")]
pub struct Alarm {
    pub kind: AlarmKind,
    /// A sentence for people.
    pub problem: String,
    /// The newest note that was verified before; none at the very beginning.
    pub ours: Option<String>,
    /// The note that came.
    pub theirs: String,
}

/// What follows a journal of which nothing is here yet, from its first page. Without a trusted key it is the one that the
/// journal names for itself.
///
/// # Errors
/// When the page does not begin with the genesis of this tenant, under that key.
pub fn begin(page: &JournalPage, tenant: TenantId, trust: Option<PublicKey>) -> Result<Follower, Alarm> {
    let genesis = page
        .entries
        .first()
        .filter(|entry| entry.kind == Kind::Genesis.name());
    let genesis: Option<Genesis> = genesis
        .and_then(WireEntry::record)
        .and_then(|record| record.body().ok());
    match genesis {
        Some(genesis) if genesis.tenant == tenant && trust.is_none_or(|key| key == genesis.log_key) => {
            Ok(Follower::new(tenant, genesis.log_key))
        }
        Some(genesis) if genesis.tenant == tenant => Err(tampered(
            page,
            "the journal names another log key than the trusted one",
        )),
        Some(_) | None => Err(tampered(
            page,
            "the journal does not begin with the genesis of this tenant",
        )),
    }
}

/// Takes a page: its entries as lines, and a line for its head. `follower` has moved on then.
///
/// # Errors
/// When the page is not how the log goes on. What `follower` has become is of no use then.
pub fn take(follower: &mut Follower, page: &JournalPage) -> Result<Vec<String>, Alarm> {
    let ours = follower.heads.last().map(|seen| seen.note.clone());
    let departed = |departure: Departure| alarm(departure, ours.clone(), page);
    let under = follower.begin_page(&page.checkpoint).map_err(departed)?;
    let known = follower.heads.last().map(|seen| seen.size);
    let mut lines = Vec::with_capacity(page.entries.len() + 1);
    for entry in &page.entries {
        let Some(header) = entry.header() else {
            return Err(tampered(
                page,
                format!("entry {} is of a kind that is no kind", entry.seq),
            ));
        };
        follower
            .append(&under, entry.seq, entry.at, header.leaf_hash())
            .map_err(departed)?;
        let is_body = match (&entry.body, entry.kind.parse::<Kind>()) {
            (None, _) => true,
            (Some(_), Ok(_)) => entry.record().is_some(),
            (Some(_), Err(_)) => true,
        };
        // A body that is not canonical could be two lines.
        let is_line = entry
            .body
            .as_ref()
            .is_none_or(|body| canonical::check(body.as_bytes()).is_ok());
        if !is_body || !is_line {
            return Err(tampered(
                page,
                format!(
                    "the body of entry {} is not the one that was journalled",
                    entry.seq
                ),
            ));
        }
        lines.push(line(&Entry {
            tenant: follower.tenant,
            entry,
        }));
    }
    follower.end_page(&under, &page.consistency).map_err(departed)?;
    if known != Some(under.head.size) {
        lines.push(line(&Head {
            r#type: "head",
            tenant: follower.tenant,
            size: under.head.size,
            root: under.head.root,
            checkpoint: &page.checkpoint,
        }));
    }
    Ok(lines)
}

impl Alarm {
    /// The line that says so. `evidence` is where both notes are kept.
    pub fn line(&self, tenant: TenantId, evidence: &str) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            r#type: &'static str,
            alarm: AlarmKind,
            tenant: TenantId,
            problem: &'a str,
            evidence: &'a str,
        }
        line(&Line {
            r#type: "alarm",
            alarm: self.kind,
            tenant,
            problem: &self.problem,
            evidence,
        })
    }
}

fn alarm(departure: Departure, kept: Option<String>, page: &JournalPage) -> Alarm {
    let problem = departure.to_string();
    let (kind, ours) = match departure {
        Departure::Fork { ours, .. } => (AlarmKind::Fork, Some(ours)),
        Departure::Rollback { ours, .. } => (AlarmKind::Rollback, Some(ours)),
        Departure::Gap { .. } => (AlarmKind::Gap, kept),
        Departure::TimeGoesBack { .. }
        | Departure::BeyondHead
        | Departure::Checkpoint(_)
        | Departure::Proof(_) => (AlarmKind::Tampered, kept),
    };
    Alarm {
        kind,
        problem,
        ours,
        theirs: page.checkpoint.clone(),
    }
}

fn tampered(page: &JournalPage, problem: impl Into<String>) -> Alarm {
    Alarm {
        kind: AlarmKind::Tampered,
        problem: problem.into(),
        ours: None,
        theirs: page.checkpoint.clone(),
    }
}

#[derive(Serialize)]
struct Head<'a> {
    r#type: &'static str,
    tenant: TenantId,
    size: u64,
    root: Digest,
    checkpoint: &'a str,
}

struct Entry<'a> {
    tenant: TenantId,
    entry: &'a WireEntry,
}

impl Serialize for Entry<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let WireEntry {
            seq,
            at,
            kind,
            subject,
            digest,
            body,
            signature,
        } = self.entry;
        let at: &UnixMillis = at;
        let body = body.as_deref().map(serde_json::from_str::<&RawValue>).transpose();
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("type", "entry")?;
        fields.serialize_entry("tenant", &self.tenant)?;
        fields.serialize_entry("seq", seq)?;
        fields.serialize_entry("at", at)?;
        fields.serialize_entry("kind", kind)?;
        fields.serialize_entry("subject", subject)?;
        fields.serialize_entry("digest", digest)?;
        fields.serialize_entry("signedBy", &signature.as_ref().map(|signature| signature.keyid))?;
        fields.serialize_entry("body", &body.map_err(serde::ser::Error::custom)?)?;
        fields.end()
    }
}

fn line(value: &impl Serialize) -> String {
    // Nothing here fails to be JSON: the body was looked at before.
    serde_json::to_string(value).unwrap_or_default()
}
