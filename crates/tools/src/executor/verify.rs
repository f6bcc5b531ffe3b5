//! What runs is what was shown: the stored bytes against the authority, tool and connection against the bytes.

use countersign_domain::{
    Digest, Millis, UnixMillis,
    canonical::Value,
    dsse::{self, PublicKey},
    record::{
        Connection, Decision, EffectClass, Executor, Holder, Kind, Preview, PreviewOutcome, Proposal, Record,
        Verdict,
    },
};
use secrecy::SecretString;

use super::{Beginning, Completion, Intent, Leased, task_id};
use crate::{Call, InputError, Ran, Registry, Tool, call::Dispatch};

/// Stored bytes as they are at this moment.
#[derive(Clone, Debug)]
pub struct Stored {
    pub proposal: Record,
    /// What the people who approved were shown of the effect, where there was something to show.
    pub preview: Option<Record>,
    /// The newest record of the connection that the proposal names.
    pub connection: Option<Connection>,
    /// The approvals that the authority names.
    pub approvals: Vec<Approval>,
}

/// One stored approval.
#[derive(Clone, Debug)]
pub struct Approval {
    pub record: Record,
    /// The key of the device that the decision names, as it was enrolled; `None` for one that the server attests for a
    /// signed-in person.
    pub key: Option<PublicKey>,
}

/// Why what is stored is not what was approved. The sentences are for people.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Drift {
    #[error("The stored proposal is not the one that was approved.")]
    Proposal,
    #[error("An approval on which the call stands is missing, or is not about this call.")]
    Approval(Digest),
    #[error("The stored preview is not the one that was approved.")]
    Preview,
    #[error("What the call would do is not what people were shown.")]
    Shown,
    #[error("The signature of an approval is not that of the device it names.")]
    Signature(Digest),
    #[error("This version of Countersign does not have the tool.")]
    NoTool,
    #[error("The tool has changed since the call was proposed.")]
    Manifest,
    #[error("The tool does not take these arguments: {0}")]
    Arguments(InputError),
    #[error("The connection has been removed or has changed since the call was proposed.")]
    Connection,
    #[error("The effect of the call over this connection is not the one that was shown.")]
    Effect,
    #[error("The call belongs to another executor.")]
    Executor,
}

impl Drift {
    /// A machine code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Proposal => "proposal_changed",
            Self::Approval(_) => "approval_missing",
            Self::Preview => "preview_changed",
            Self::Shown => "preview_differs",
            Self::Signature(_) => "bad_signature",
            Self::NoTool => "tool_missing",
            Self::Manifest => "tool_changed",
            Self::Arguments(_) => "arguments_invalid",
            Self::Connection => "connection_changed",
            Self::Effect => "effect_changed",
            Self::Executor => "other_executor",
        }
    }

    /// Whether the request is as sound as it was and only what it would do has changed: then it can be made again as things
    /// are now, for people to look at anew.
    pub const fn renews(&self) -> bool {
        match self {
            Self::Shown | Self::Manifest | Self::Connection | Self::Effect => true,
            Self::Proposal
            | Self::Approval(_)
            | Self::Preview
            | Self::Signature(_)
            | Self::NoTool
            | Self::Arguments(_)
            | Self::Executor => false,
        }
    }
}

/// A call that may run: an authority together with the stored bytes that it is about. There is no way to make one but
/// [`Authorised::verify`].
pub struct Authorised<'a> {
    proposal: Proposal,
    digest: Digest,
    connection: Option<Connection>,
    approvals: Vec<Digest>,
    preview: Option<(Digest, PreviewOutcome)>,
    tool: &'a dyn Tool,
    effect: EffectClass,
    executor: Executor,
    fence: u64,
}

impl<'a> Authorised<'a> {
    /// Recomputes every digest and checks every signature.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn verify(leased: &Leased, stored: Stored, registry: &'a Registry) -> Result<Self, Drift> {
        let authority = &leased.authority;
        let digest = recomputed(&stored.proposal, Kind::Proposal).ok_or(Drift::Proposal)?;
        let proposal: Proposal = stored.proposal.body().map_err(|_| Drift::Proposal)?;
        if digest != authority.digest() || proposal.id != authority.proposal() {
            return Err(Drift::Proposal);
        }
        let preview = stored.preview.as_ref().map(previewed).transpose()?;
        let shown = Shown {
            proposal: &proposal,
            digest,
            preview: preview.as_ref().map(|(digest, _)| *digest),
        };
        if shown.preview != authority.preview() {
            return Err(Drift::Preview);
        }
        for approval in authority.approvals() {
            check_approval(*approval, shown, &stored.approvals)?;
        }
        let holder = proposal
            .connection
            .as_ref()
            .map_or(Holder::Tenant, |connection| connection.holder);
        if holder != leased.executor {
            return Err(Drift::Executor);
        }
        if !registry.has(&proposal.tool.id) {
            return Err(Drift::NoTool);
        }
        let runnable = registry
            .runnable(&proposal.tool.id, proposal.tool.manifest)
            .ok_or(Drift::Manifest)?;
        let tool = runnable.tool();
        let connection = check_connection(&proposal, stored.connection, tool)?;
        let config = connection.as_ref().map(|connection| &connection.config);
        // Again, although ingress did: a device does not take the server's word for it.
        runnable
            .check_args(&proposal.args, config)
            .map_err(Drift::Arguments)?;
        let effect = tool.effect(config);
        if effect != proposal.effect {
            return Err(Drift::Effect);
        }
        Ok(Self {
            digest,
            connection,
            approvals: authority.approvals().to_vec(),
            preview,
            tool,
            effect,
            executor: leased.executor,
            fence: leased.fence,
            proposal,
        })
    }

    /// Makes the preview again where people were shown one: it is made from everything that the call relies on, so what is
    /// otherwise by now shows in it. Where none could be made nobody has relied on it.
    ///
    /// # Errors
    /// When it comes out otherwise, or not at all.
    pub(super) async fn still_shows(&self, registry: &Registry, now: UnixMillis) -> Result<(), Drift> {
        let Some((_, shown @ PreviewOutcome::Shown { .. })) = &self.preview else {
            return Ok(());
        };
        let again = registry.preview(&self.proposal, self.connection.as_ref(), now);
        if again.await == *shown {
            Ok(())
        } else {
            Err(Drift::Shown)
        }
    }

    /// The proposal, read from the verified bytes.
    pub const fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    /// The proposal record's digest.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// What the call may do.
    pub const fn effect(&self) -> EffectClass {
        self.effect
    }

    /// How long the target knows this call again by its key.
    pub(super) fn key_window(&self) -> Option<Millis> {
        self.tool.key_window(self.config()?)
    }

    pub(super) const fn executor(&self) -> Executor {
        self.executor
    }

    pub(super) const fn fence(&self) -> u64 {
        self.fence
    }

    pub(super) const fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    pub(super) const fn tool(&self) -> &'a dyn Tool {
        self.tool
    }

    pub(super) fn call<'c>(
        &'c self,
        leased: &Leased,
        secret: Option<&'c SecretString>,
        now: UnixMillis,
    ) -> Call<'c> {
        Call {
            tenant: self.proposal.tenant,
            proposal: self.proposal.id,
            args: &self.proposal.args,
            config: self.config(),
            connection: self
                .connection
                .as_ref()
                .map(|connection| connection.name.as_str()),
            secret,
            now,
            task: task_id(self.proposal.id),
            deadline: leased.deadline,
            dispatch: Dispatch::default(),
        }
    }

    pub(super) fn beginning(&self, at: UnixMillis) -> Beginning {
        Beginning {
            at,
            authority: self.approvals.clone(),
            executor: self.executor,
            fence: self.fence,
            preview: self.preview.as_ref().map(|(digest, _)| *digest),
            proposal: self.proposal.id,
            proposal_digest: self.digest,
        }
    }

    pub(super) fn intent(&self, call: &Call<'_>) -> Intent {
        Intent {
            at: call.now,
            attempt: 1,
            fence: self.fence,
            proposal: self.proposal.id,
            proposal_digest: self.digest,
            reference: self.tool.reference(call),
        }
    }

    pub(super) fn completion(&self, ran: Ran, started_at: UnixMillis, finished_at: UnixMillis) -> Completion {
        Completion::of(ran, self, started_at, finished_at)
    }

    fn config(&self) -> Option<&Value> {
        self.connection.as_ref().map(|connection| &connection.config)
    }
}

impl core::fmt::Debug for Authorised<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Authorised")
            .field("proposal", &self.proposal.id)
            .field("fence", &self.fence)
            .finish_non_exhaustive()
    }
}

/// The digest of a record's bytes, whatever digest it is stored under; `None` when it is of another kind.
fn recomputed(record: &Record, kind: Kind) -> Option<Digest> {
    (record.kind == kind).then(|| dsse::record_digest(&kind.payload_type(), record.bytes()))
}

/// A stored preview, by its bytes.
fn previewed(record: &Record) -> Result<(Digest, PreviewOutcome), Drift> {
    let digest = recomputed(record, Kind::Preview).ok_or(Drift::Preview)?;
    let preview: Preview = record.body().map_err(|_| Drift::Preview)?;
    Ok((digest, preview.outcome))
}

/// What the people saw, by its stored bytes.
#[derive(Clone, Copy)]
struct Shown<'a> {
    proposal: &'a Proposal,
    digest: Digest,
    preview: Option<Digest>,
}

/// One approval of the authority: there, about these very bytes, and signed by the device that it names.
fn check_approval(wanted: Digest, shown: Shown<'_>, stored: &[Approval]) -> Result<(), Drift> {
    let found = stored
        .iter()
        .find(|approval| recomputed(&approval.record, Kind::Decision) == Some(wanted))
        .ok_or(Drift::Approval(wanted))?;
    let decision: Decision = found.record.body().map_err(|_| Drift::Approval(wanted))?;
    let about_this = decision.tenant == shown.proposal.tenant
        && decision.proposal == shown.proposal.id
        && decision.proposal_digest == shown.digest
        && decision.verdict == Verdict::Approve;
    if !about_this {
        return Err(Drift::Approval(wanted));
    }
    if decision.preview != shown.preview {
        return Err(Drift::Preview);
    }
    let signed = match (decision.device, &found.key) {
        (Some(_), Some(key)) => found.record.is_signed_by(key),
        // The server's attestation carries no signature of its own: the journal's checkpoint covers it.
        (None, None) => found.record.signature.is_none(),
        (Some(_), None) | (None, Some(_)) => false,
    };
    if signed {
        Ok(())
    } else {
        Err(Drift::Signature(wanted))
    }
}

/// The connection, when it is the one that the proposal pins, in that very configuration.
fn check_connection(
    proposal: &Proposal,
    stored: Option<Connection>,
    tool: &dyn Tool,
) -> Result<Option<Connection>, Drift> {
    match (&proposal.connection, stored, tool.manifest().connection) {
        (None, _, None) => Ok(None),
        (Some(named), Some(stored), Some(kind)) => {
            let same = stored.id == named.id
                && stored.tenant == proposal.tenant
                && stored.holder == named.holder
                && stored.kind == kind
                && !stored.removed
                && stored.config_digest().is_ok_and(|digest| digest == named.config);
            if same {
                Ok(Some(stored))
            } else {
                Err(Drift::Connection)
            }
        }
        (None | Some(_), _, _) => Err(Drift::Connection),
    }
}
