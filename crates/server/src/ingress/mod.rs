//! From a proposer's request to a stored proposal: understand, validate, assess, ask policy, store once.

mod ready;

pub(crate) use ready::{RenewError, addresses};

use std::sync::Arc;

use countersign_domain::{
    Digest, Millis, UnixMillis,
    canonical::{self, Value},
    fold::{DEFAULT_LIFETIME, LONGEST_LIFETIME, SHORTEST_LIFETIME},
    id::ProposalId,
    intent::{self, StructuredCall},
    record::{Connection, Proposal, Proposer, Untrusted, lifetime},
    wire,
};
use countersign_policy::Policy;
use countersign_tools::{Ingress, IngressError, Registry};

use crate::{
    random,
    tenant::{Key, ProposeRefusal, StoreError, Stored, Tenant},
};

/// The tools and the policy that every tenant of this server has.
#[derive(Clone)]
pub struct Rules {
    pub registry: Arc<Registry>,
    pub policy: Arc<dyn Policy>,
    /// Most proposals of one proposer that wait for people at once; `None` for any number.
    pub max_open: Option<usize>,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules")
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

/// What a request came to.
#[derive(Debug)]
pub enum Understood {
    /// No command form matched.
    NoIntent,
    /// The tool is not registered.
    NoTool,
    /// It is stored, by this call or an earlier one.
    Stored {
        call: wire::ProposedCall,
        policy: wire::PolicyAnswer,
        stored: Box<Stored>,
        created: bool,
    },
}

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// A field is missing or does not fit.
    #[error("{message}")]
    Field { field: String, message: String },
    /// The tenant has no connection of the kind that the tool needs.
    #[error("This tool needs a connection, and there is none yet: add one in the app under Connections.")]
    NoConnection,
    /// The store found that what the proposal relies on has changed, or the key is taken.
    #[error("{0:?}")]
    Refused(ProposeRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ProposeError {
    fn field(field: &str, message: impl Into<String>) -> Self {
        Self::Field {
            field: field.to_owned(),
            message: message.into(),
        }
    }

    fn missing(field: &str) -> Self {
        Self::field(field, format!("Bad Request: Missing or invalid '{field}' field"))
    }
}

/// What is proposed, before validation: the parser's output, or the caller's own.
struct Wanted {
    tool: String,
    input: Value,
    /// The key's text, as the proposer is told it.
    key: String,
    /// What the key stands for: everything that makes two requests the same one.
    identity: Digest,
}

const MAX_NOTE: usize = 2_000;
const MAX_RUN: usize = 128;
const MAX_EVIDENCE: usize = 20;
const MAX_EVIDENCE_TITLE: usize = 200;

impl Rules {
    /// Takes a request of `proposer`, whose identity is the credential's.
    ///
    /// # Errors
    /// With the field at fault, or what stood in the way.
    pub async fn propose(
        &self,
        tenant: &Tenant,
        proposer: Proposer,
        request: wire::Propose,
        idempotency_key: Option<&str>,
    ) -> Result<Understood, ProposeError> {
        check_limits(&request, tenant.now())?;
        let Some(wanted) = wanted(tenant, &proposer, &request)? else {
            return Ok(Understood::NoIntent);
        };
        let Some(tool) = self.registry.get(&wanted.tool) else {
            return Ok(Understood::NoTool);
        };
        let connection = choose_connection(tenant, tool.manifest(), request.connection)?;
        let known = tenant.known_recipients(addresses(&wanted.input)).await?;
        let ingress = self
            .registry
            .ingress(&wanted.tool, wanted.input.clone(), connection.as_ref(), &known)
            .map_err(|error| refuse_input(&error))?;
        let call = wire::ProposedCall {
            tool_id: wanted.tool.clone(),
            input: wanted.input.clone(),
            risk_level: ingress.risk,
        };
        let key = key(&proposer, &request, &wanted, idempotency_key)?;
        let manifest = ingress.manifest;
        let proposer = editor(tenant, proposer, request.supersedes.or(request.retry_of)).await?;
        let proposal = proposal(tenant, proposer, request, ingress, connection.as_ref())?;
        let people = tenant.people();
        let denied = tenant.denied_before(proposal.intent().map_err(too_large)?);
        let new = self
            .ready(proposal, manifest, &people, denied.as_ref(), wanted.key)
            .map_err(too_large)?;
        let (stored, created) = tenant
            .propose(new, key, self.max_open)
            .await?
            .map_err(ProposeError::Refused)?;
        // The answer says what is stored, also when an earlier call stored it.
        let says = stored.state.policy.as_ref();
        let policy = says.map(|says| wire::PolicyAnswer {
            decision: says.decision,
            reason: says.reason.clone(),
        });
        let policy =
            policy.ok_or_else(|| StoreError::Damaged("a proposal without an evaluation".to_owned()))?;
        Ok(Understood::Stored {
            call,
            policy,
            stored: Box::new(stored),
            created,
        })
    }
}

/// The record of what `request` asks for, as its tool takes it.
fn proposal(
    tenant: &Tenant,
    proposer: Proposer,
    request: wire::Propose,
    ingress: Ingress<'_>,
    connection: Option<&Connection>,
) -> Result<Proposal, ProposeError> {
    let (now, people) = (tenant.now(), tenant.people());
    let asked = request.expires_at.unwrap_or(now + DEFAULT_LIFETIME);
    let ruled = lifetime(&people.rules.table, &ingress.manifest.id, ingress.risk);
    let expires_at = ruled.map_or(asked, |longest| asked.min(now + longest));
    if request.not_before.is_some_and(|at| at >= expires_at) {
        let message = "It would expire before it may run: give a time before it expires";
        return Err(ProposeError::field("notBefore", message));
    }
    Ok(Proposal {
        tool: ready::tool(ingress.manifest),
        connection: ready::named(connection).map_err(too_large)?,
        args: ingress.args,
        created_at: now,
        effect: ingress.effect,
        expires_at,
        id: ProposalId::from_uuid(random::uuid()),
        nonce: random::nonce(),
        not_before: request.not_before,
        proposer: Proposer {
            run: request.run,
            ..proposer
        },
        retry_of: request.retry_of,
        risk: ingress.risk,
        risk_reasons: ingress.reasons,
        supersedes: request.supersedes,
        tenant: tenant.id(),
        untrusted: Untrusted {
            evidence: request.evidence,
            note: request.note,
        },
    })
}

/// Who proposes, where it is an edit of an earlier proposal or that one again: whoever had a hand in that one stays bound to it,
/// and does not approve what became of it either.
async fn editor(
    tenant: &Tenant,
    proposer: Proposer,
    earlier: Option<ProposalId>,
) -> Result<Proposer, ProposeError> {
    let Some(earlier) = earlier else {
        return Ok(proposer);
    };
    let Some(stored) = tenant.proposal(earlier).await? else {
        return Ok(proposer);
    };
    let before = &stored.state.proposer;
    Ok(proposer.following(before, tenant.people().owner_behind(before)))
}

fn wanted(
    tenant: &Tenant,
    proposer: &Proposer,
    request: &wire::Propose,
) -> Result<Option<Wanted>, ProposeError> {
    let tenant = tenant.id().to_string();
    match (&request.text, &request.tool_id) {
        (Some(text), None) if !text.is_empty() && request.input.is_none() => {
            let Some(intent) = intent::parse(text) else {
                return Ok(None);
            };
            let key = intent::text_key(&tenant, &proposer.id, &intent, text);
            // The text's key is the seed's, which knows neither a time nor another proposal (design §10).
            let due = request.not_before.map(|at| format!(":not-before:{}", at.0));
            let retries = request.retry_of.map(|id| format!(":retry-of:{id}"));
            let replaces = request.supersedes.map(|id| format!(":supersedes:{id}"));
            let named = [due, retries, replaces].map(Option::unwrap_or_default).concat();
            let identity = Digest::of_parts(&[key.as_bytes(), named.as_bytes()]);
            Ok(Some(Wanted {
                tool: intent.tool_id().to_owned(),
                input: intent.input(),
                key,
                identity,
            }))
        }
        (None, Some(tool)) => {
            let input = request
                .input
                .clone()
                .ok_or_else(|| ProposeError::missing("input"))?;
            let key = intent::structured_key(&StructuredCall {
                actor: &proposer.id,
                connection: request.connection,
                input: &input,
                not_before: request.not_before,
                retry_of: request.retry_of,
                supersedes: request.supersedes,
                tenant: &tenant,
                tool,
            });
            let key = key.map_err(too_large)?;
            Ok(Some(Wanted {
                tool: tool.clone(),
                identity: Digest::of(key.as_bytes()),
                key,
                input,
            }))
        }
        (Some(_), Some(_)) => Err(ProposeError::field(
            "text",
            "Bad Request: Give either 'text' or 'toolId' with 'input', not both",
        )),
        (Some(_) | None, None) => Err(ProposeError::missing("text")),
    }
}

/// The proposer's own key where it gave one, which then stands for the whole request, else that of what it asks for.
fn key(
    proposer: &Proposer,
    request: &wire::Propose,
    wanted: &Wanted,
    own: Option<&str>,
) -> Result<Key, ProposeError> {
    let Some(own) = own else {
        // The same text always asks for the same thing, however its input came to be written.
        let input = canonical::to_vec(&wanted.input).map_err(too_large)?;
        return Ok(Key {
            key: wanted.identity,
            payload: Digest::of_parts(&[wanted.tool.as_bytes(), b"\n", &input]),
        });
    };
    Ok(Key {
        key: Digest::of_parts(&[b"http:", proposer.id.as_bytes(), b":", own.as_bytes()]),
        payload: Digest::of(&canonical::to_vec(request).map_err(too_large)?),
    })
}

fn check_limits(request: &wire::Propose, now: UnixMillis) -> Result<(), ProposeError> {
    let long =
        |text: &Option<String>, most: usize| text.as_ref().is_some_and(|text| text.chars().count() > most);
    if long(&request.note, MAX_NOTE) {
        return Err(ProposeError::field("note", "A note has at most 2,000 characters"));
    }
    if long(&request.run, MAX_RUN) {
        return Err(ProposeError::field(
            "run",
            "A run's name has at most 128 characters",
        ));
    }
    let wide = |evidence: &countersign_domain::record::Evidence| {
        evidence.title.chars().count() > MAX_EVIDENCE_TITLE || evidence.value.chars().count() > MAX_NOTE
    };
    if request.evidence.len() > MAX_EVIDENCE || request.evidence.iter().any(wide) {
        return Err(ProposeError::field(
            "evidence",
            "Evidence is at most 20 items with titles up to 200 and values up to 2,000 characters",
        ));
    }
    // What takes the place of another may go on with its clock, however little is left on it.
    let shortest = match request.supersedes {
        None => SHORTEST_LIFETIME,
        Some(_) => Millis(1),
    };
    if let Some(at) = request.expires_at
        && (at < now + shortest || at > now + LONGEST_LIFETIME)
    {
        return Err(ProposeError::field(
            "expiresAt",
            "A proposal lives from one minute to 30 days",
        ));
    }
    Ok(())
}

fn choose_connection(
    tenant: &Tenant,
    manifest: &countersign_domain::manifest::Manifest,
    named: Option<countersign_domain::id::ConnectionId>,
) -> Result<Option<Connection>, ProposeError> {
    let people = tenant.people();
    let Some(kind) = manifest.connection else {
        return match named {
            None => Ok(None),
            Some(_) => Err(ProposeError::field("connection", "This tool takes no connection")),
        };
    };
    if let Some(id) = named {
        let found = people
            .connections
            .get(&id)
            .filter(|connection| connection.kind == kind);
        return match found {
            Some(connection) => Ok(Some(connection.clone())),
            None => Err(ProposeError::field(
                "connection",
                "There is no such connection for this tool",
            )),
        };
    }
    let mut fitting = people.connections_of(kind);
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(Some(only.clone())),
        (None, _) => Err(ProposeError::NoConnection),
        (Some(_), Some(_)) => Err(ProposeError::field(
            "connection",
            "There are several connections for this tool: say which",
        )),
    }
}

fn refuse_input(error: &IngressError) -> ProposeError {
    match error {
        IngressError::Input(input) => {
            let field = input
                .field
                .as_deref()
                .map_or_else(|| "input".to_owned(), |field| format!("input/{field}"));
            ProposeError::Field {
                field,
                message: input.message.clone(),
            }
        }
        IngressError::NeedsConnection(_) => ProposeError::NoConnection,
        IngressError::UnknownTool(_) | IngressError::WrongConnection => {
            ProposeError::field("connection", error.to_string())
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "fits map_err")]
fn too_large(error: canonical::Error) -> ProposeError {
    ProposeError::field("input", format!("The proposal cannot be stored: {error}"))
}
