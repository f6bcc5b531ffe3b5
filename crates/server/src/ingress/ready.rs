//! What a proposal is made of beside its request, and how an open one is made again when its tool has changed.

use std::sync::Arc;

use countersign_domain::{
    Record, UnixMillis,
    canonical::{self, Value},
    id::ProposalId,
    manifest::Pinned,
    people::People,
    record::{Connection, ConnectionRef, Evaluation, Phase, Proposal, Renewal, ToolRef},
    render,
};
use countersign_policy::Call;
use countersign_tools::{Facts, IngressError};

use super::Rules;
use crate::{
    random,
    tenant::{Denied, NewProposal},
};

/// Why a request could not be made again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenewError {
    #[error(transparent)]
    Ingress(#[from] IngressError),
    #[error("It cannot be stored: {0}.")]
    TooLarge(#[from] canonical::Error),
}

impl Rules {
    /// The proposal with its record, what policy says of it, and its line.
    pub(super) fn ready(
        &self,
        mut proposal: Proposal,
        manifest: &Pinned,
        people: &People,
        denied: Option<&Denied>,
        tool_call_id: String,
    ) -> Result<NewProposal, canonical::Error> {
        if let Some(denied) = denied {
            proposal.risk_reasons.push(denied_before(denied, people));
        }
        let answer = self.policy.evaluate(&Call {
            tool: &proposal.tool.id,
            registered: true,
            risk: proposal.risk,
            effect: proposal.effect,
            proposer: proposal.proposer.kind,
            hold: manifest.hold,
            money: manifest.money,
            denied_before: denied.is_some(),
            mode: people.mode(),
            table: &people.rules.table,
        });
        let record = Record::unsigned(&proposal)?;
        let evaluation = Record::unsigned(&Evaluation {
            bundle: self.policy.bundle(),
            decision: answer.decision,
            evaluated_at: proposal.created_at,
            nonce: random::nonce(),
            phase: Phase::Propose,
            policies: answer.policies,
            proposal: proposal.id,
            proposal_digest: record.digest,
            reason: answer.reason,
            requirement: answer.requirement,
        })?;
        let args = proposal.args.as_object().cloned().unwrap_or_default();
        Ok(NewProposal {
            sentence: render::flat(&render::sentence(&manifest.sentence, &args)),
            proposal: Arc::new(proposal),
            record: Arc::new(record),
            evaluation: Arc::new(evaluation),
            tool_call_id,
        })
    }

    /// The successor of an open proposal: the same request, taken as its tool and its connection are at `now`.
    pub(crate) fn renew(
        &self,
        old: &Proposal,
        tool_call_id: String,
        people: &People,
        denied: Option<&Denied>,
        facts: &dyn Facts,
        now: UnixMillis,
    ) -> Result<NewProposal, RenewError> {
        let named = old.connection.as_ref();
        let connection = named.and_then(|named| people.connections.get(&named.id));
        let ingress = self
            .registry
            .ingress(&old.tool.id, old.args.clone(), connection, facts)?;
        let manifest = ingress.manifest;
        let renewed = old.renewed(Renewal {
            args: ingress.args,
            connection: self::named(connection)?,
            created_at: now,
            effect: ingress.effect,
            id: ProposalId::from_uuid(random::uuid()),
            nonce: random::nonce(),
            risk: ingress.risk,
            risk_reasons: ingress.reasons,
            tool: tool(manifest),
        });
        Ok(self.ready(renewed, manifest, people, denied, tool_call_id)?)
    }
}

/// Most characters of somebody's reason that are said again.
const MOST_OF_A_REASON: usize = 200;

/// What the card says of an earlier no to the same request.
fn denied_before(denied: &Denied, people: &People) -> String {
    let who = people
        .members
        .get(&denied.by)
        .map_or("A former member", |person| person.name.as_str());
    let reason = denied.reason.as_deref().map(|reason| {
        let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = line.chars().take(MOST_OF_A_REASON).collect();
        format!(": {short}")
    });
    let at = denied.at.to_string();
    let (day, time) = (
        at.get(..10).unwrap_or_default(),
        at.get(11..16).unwrap_or_default(),
    );
    render::flat(&render::visible(&format!(
        "{who} denied the same request on {day} at {time} UTC{}",
        reason.unwrap_or_else(|| ".".to_owned())
    )))
}

/// The tool as a proposal names it.
pub(super) fn tool(manifest: &Pinned) -> ToolRef {
    ToolRef {
        id: manifest.id.clone(),
        manifest: manifest.digest(),
        version: manifest.version.clone(),
    }
}

/// The connection as a proposal names it.
pub(super) fn named(connection: Option<&Connection>) -> Result<Option<ConnectionRef>, canonical::Error> {
    let named = connection.map(|connection| {
        Ok(ConnectionRef {
            config: connection.config_digest()?,
            holder: connection.holder,
            id: connection.id,
        })
    });
    named.transpose()
}

/// Every string that could be an address, in lower case: what the tenant may know already.
pub(crate) fn addresses(input: &Value) -> Vec<String> {
    let Some(object) = input.as_object() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for name in ["to", "cc", "bcc"] {
        match object.get(name) {
            Some(Value::String(address)) => found.push(address.trim().to_lowercase()),
            Some(Value::Array(items)) => {
                found.extend(
                    items
                        .iter()
                        .filter_map(|item| Some(item.as_str()?.trim().to_lowercase())),
                );
            }
            Some(Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Object(_)) | None => {}
        }
    }
    found.truncate(200);
    found
}
