//! What a person asks for by typing, and the tasks that were made.

use countersign_domain::{
    Digest, UnixMillis,
    fold::DEFAULT_LIFETIME,
    form::FieldError,
    id::ProposalId,
    intent,
    people::People,
    record::{Nonce, PolicyDecision, Proposal, Proposer, ProposerKind, Risk, ToolRef, Untrusted},
    render::{self, View},
    wire::Propose,
};
use countersign_policy::{Call, Policy as _, SeedRules};
use countersign_replica::Task;
use countersign_tools::Ingress;
use uuid::Uuid;

use super::{Words, card::policy_words};
use crate::{Engine, EngineError, schedule, seat::Seat};

/// Tasks on one page.
const TASKS: u32 = 100;

/// What a text would propose. Advice: policy is asked again by the tenant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    pub outcome: DraftOutcome,
    /// What is wrong with the time.
    pub problem: Option<FieldError>,
    /// How each form is typed.
    pub examples: Vec<String>,
}

/// How far the text was understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DraftOutcome {
    /// Nothing was typed yet, or none of the forms.
    NotUnderstood {
        help: String,
    },
    /// A form, and something about it cannot be proposed.
    Refused {
        tool: String,
        why: String,
    },
    Understood(Box<Understood>),
}

/// A proposal that is not made yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Understood {
    pub tool: String,
    pub view: View,
    pub risk: Risk,
    pub decision: PolicyDecision,
    pub reason: String,
}

/// Some tasks, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tasks {
    pub tasks: Vec<Task>,
    pub next: Option<String>,
}

impl Engine {
    /// What the text would propose, not to begin before a time (RFC 3339, or empty). Makes nothing and needs no network.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn draft(&self, text: &str, not_before: &str) -> Result<Draft, EngineError> {
        let seat = self.seat()?;
        let people = seat.people().await?;
        let examples = intent::forms()
            .iter()
            .filter(|form| seat.registry.get(form.tool_id).is_some())
            .map(|form| form.example.to_owned())
            .collect();
        let outcome = outcome(&seat, &people, text)?;
        Ok(Draft {
            problem: time(&seat, &people, &outcome, not_before).err(),
            outcome,
            examples,
        })
    }

    /// Proposes what the text says, not to begin before a time (RFC 3339, or empty).
    ///
    /// # Errors
    /// With the field at fault; offline; or when the tenant does not take it. The text is then still the person's to keep.
    pub async fn submit(&self, text: &str, not_before: &str) -> Result<ProposalId, EngineError> {
        let seat = self.seat()?;
        let people = seat.people().await?;
        let not_before = time(&seat, &people, &outcome(&seat, &people, text)?, not_before)
            .map_err(|problem| EngineError::invalid(problem.name, problem.message))?;
        if seat.is_cut_off() {
            return Err(EngineError::offline());
        }
        let call = Propose {
            text: Some(text.to_owned()),
            not_before,
            ..Propose::default()
        };
        let proposed = seat.client.propose(&call).await?;
        seat.wakes.sync.notify_one();
        match proposed.proposal_record {
            Some(record) => Ok(record.ai_tool_call_id),
            None => Err(EngineError::invalid(
                "text",
                match proposed.reason.as_deref() {
                    Some("tool_not_found") => "The tenant does not have that tool.",
                    Some(_) | None => "That is none of the forms.",
                },
            )),
        }
    }

    /// Tasks made so far, newest first.
    ///
    /// # Errors
    /// When nobody is signed in, or the cursor is none.
    pub async fn tasks(&self, after: Option<&str>) -> Result<Tasks, EngineError> {
        let seat = self.seat()?;
        let before = after.map(str::parse).transpose();
        let before = before.map_err(|_| EngineError::invalid("after", "That page is gone."))?;
        let page = seat
            .journal
            .read(move |reader| Ok(reader.tasks(before, TASKS)?))
            .await?;
        Ok(Tasks {
            tasks: page.tasks,
            next: page.next.map(|next| next.to_string()),
        })
    }
}

/// The time that was typed, for what the text comes to.
fn time(
    seat: &Seat,
    people: &People,
    outcome: &DraftOutcome,
    text: &str,
) -> Result<Option<UnixMillis>, FieldError> {
    let words = Words::new(seat, people);
    let expires_at = match outcome {
        DraftOutcome::Understood(it) => schedule::end_of(people, &it.tool, it.risk, words.now),
        DraftOutcome::NotUnderstood { .. } | DraftOutcome::Refused { .. } => words.now + DEFAULT_LIFETIME,
    };
    schedule::read(text, expires_at, &words)
}

fn outcome(seat: &Seat, people: &People, text: &str) -> Result<DraftOutcome, EngineError> {
    let Some(intent) = intent::parse(text) else {
        let help = "Type one of the forms; a line at a time is understood.".to_owned();
        return Ok(DraftOutcome::NotUnderstood { help });
    };
    // None of the typed forms needs a connection, and who is known is for the tenant to say.
    let ingress = match seat.registry.ingress(intent.tool_id(), intent.input(), None, &()) {
        Ok(ingress) => ingress,
        Err(error) => {
            return Ok(DraftOutcome::Refused {
                tool: intent.tool_id().to_owned(),
                why: error.to_string(),
            });
        }
    };
    let answer = SeedRules.evaluate(&Call {
        tool: intent.tool_id(),
        registered: true,
        risk: ingress.risk,
        effect: ingress.effect,
        proposer: ProposerKind::User,
        hold: ingress.manifest.hold,
        money: ingress.manifest.money,
        denied_before: false,
        mode: people.mode(),
        table: &people.rules.table,
    });
    let (risk, manifest) = (ingress.risk, ingress.manifest);
    let proposal = draft(seat, ingress);
    let view = render::render(&proposal, Digest::of(b"draft"), None, manifest, None)
        .map_err(EngineError::internal)?;
    Ok(DraftOutcome::Understood(Box::new(Understood {
        tool: proposal.tool.id,
        view,
        risk,
        decision: answer.decision,
        reason: policy_words(&answer.policies, &answer.reason),
    })))
}

/// The proposal as the tenant would make it, but for its ids and times: it is shown, never sent.
fn draft(seat: &Seat, ingress: Ingress<'_>) -> Proposal {
    let now: UnixMillis = seat.now();
    Proposal {
        args: ingress.args,
        connection: None,
        created_at: now,
        effect: ingress.effect,
        expires_at: now + DEFAULT_LIFETIME,
        id: ProposalId::from_uuid(Uuid::nil()),
        nonce: Nonce::from_bytes([0; 16]),
        not_before: None,
        proposer: Proposer {
            contributors: Default::default(),
            id: seat.person().to_string(),
            kind: ProposerKind::User,
            name: seat.account.email.clone(),
            on_behalf_of: None,
            run: None,
        },
        retry_of: None,
        risk: ingress.risk,
        risk_reasons: ingress.reasons,
        supersedes: None,
        tenant: seat.tenant(),
        tool: ToolRef {
            id: ingress.manifest.id.clone(),
            manifest: ingress.manifest.digest(),
            version: ingress.manifest.version.clone(),
        },
        untrusted: Untrusted::default(),
    }
}
