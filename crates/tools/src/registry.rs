//! The tools that this version has, and the way in for their inputs.

use std::{collections::BTreeMap, sync::Arc};

use countersign_domain::{
    Digest, UnixMillis,
    canonical::{self, Value},
    manifest::{Manifest, Pinned},
    record::{Connection, ConnectionKind, EffectClass, PreviewOutcome, Proposal, Risk},
};

use crate::{
    Call, Facts, InputError, Tool,
    call::Dispatch,
    create_task::CreateTask,
    email::SendMail,
    executor,
    health::{HealthCheck, HealthProbe},
    http::HttpRequest,
    schema::Schema,
};

/// Most bytes of an input in canonical form, so that a proposal and its preview stay within a record.
pub const MAX_INPUT: usize = 112 * 1024;

/// Every registered tool by id, with its schema compiled once.
#[derive(Clone, Default)]
pub struct Registry {
    tools: BTreeMap<String, Registered>,
}

#[derive(Clone)]
struct Registered {
    tool: Arc<dyn Tool>,
    pinned: Pinned,
    schema: Arc<Schema>,
}

/// An input that was taken: what goes into the proposal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ingress<'a> {
    /// Normalised.
    pub args: Value,
    pub manifest: &'a Pinned,
    pub effect: EffectClass,
    pub risk: Risk,
    /// A sentence each.
    pub reasons: Vec<String>,
}

/// Why an input was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IngressError {
    #[error("There is no tool “{0}” here.")]
    UnknownTool(String),
    #[error(transparent)]
    Input(#[from] InputError),
    /// The tool acts through a connection of this kind, and none was given.
    #[error("This tool needs a connection of the kind “{}”.", kind_name(*.0))]
    NeedsConnection(ConnectionKind),
    /// The connection is of another kind, gone, or the tool takes none.
    #[error("This tool cannot use that connection.")]
    WrongConnection,
}

/// A tool that cannot be registered: a mistake in its code.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("two tools are called {0}")]
    Twice(String),
    #[error("the tool's schema is not one: {0}")]
    Schema(String),
    #[error(transparent)]
    Canonical(#[from] canonical::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl Registry {
    /// Every tool of this version. `health` answers for the tenant server; an executor elsewhere, which never runs
    /// that tool, gives [`crate::health::Elsewhere`].
    ///
    /// # Errors
    /// When a manifest is outside the canonical profile; a test holds that none is.
    pub fn standard(health: Arc<dyn HealthProbe>) -> Result<Self, RegistryError> {
        Self::new([
            Arc::new(CreateTask::new()?) as Arc<dyn Tool>,
            Arc::new(HealthCheck::new(health)?),
            Arc::new(SendMail::new()?),
            Arc::new(HttpRequest::new()?),
        ])
    }

    /// These tools.
    ///
    /// # Errors
    /// When two have one id, or a manifest is outside the canonical profile.
    pub fn new(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        for tool in tools {
            let pinned = Pinned::new(tool.manifest().clone())?;
            let id = pinned.id.clone();
            let registered = Registered {
                schema: Arc::new(Schema::compile(&pinned.schema)?),
                pinned,
                tool,
            };
            if registry.tools.insert(id.clone(), registered).is_some() {
                return Err(RegistryError::Twice(id));
            }
        }
        Ok(registry)
    }

    /// A tool by id.
    pub fn get(&self, id: &str) -> Option<&dyn Tool> {
        self.tools.get(id).map(|registered| &*registered.tool)
    }

    /// Every manifest with its digest, by id: what `GET /api/tools` lists and what an executor claims with.
    pub fn manifests(&self) -> impl Iterator<Item = (Digest, &Manifest)> {
        self.tools
            .values()
            .map(|registered| (registered.pinned.digest(), &*registered.pinned))
    }

    /// The manifest that a proposal pins, if this version has it.
    pub fn manifest(&self, digest: Digest) -> Option<&Pinned> {
        self.tools
            .values()
            .map(|registered| &registered.pinned)
            .find(|pinned| pinned.digest() == digest)
    }

    /// Takes an input: schema, normalisation, the connection's rules, risk. `connection` is the one that the call
    /// would use.
    ///
    /// # Errors
    /// Why the input cannot become a proposal, with the field at fault where there is one.
    pub fn ingress(
        &self,
        tool_id: &str,
        input: Value,
        connection: Option<&Connection>,
        facts: &dyn Facts,
    ) -> Result<Ingress<'_>, IngressError> {
        let registered = self
            .tools
            .get(tool_id)
            .ok_or_else(|| IngressError::UnknownTool(crate::text::line(tool_id, 100)))?;
        let tool = &*registered.tool;
        let manifest = &registered.pinned;
        let config = usable(manifest, connection)?;
        registered.schema.check(&input)?;
        let args = tool.normalise(input)?;
        registered.check_args(&args, config)?;
        let assessment = tool.assess(&args, facts);
        Ok(Ingress {
            args,
            manifest: &registered.pinned,
            effect: tool.effect(config),
            // INVARIANT: arguments raise the manifest's risk, they never lower it.
            risk: assessment.risk.max(manifest.risk),
            reasons: assessment.reasons,
        })
    }

    /// What the proposed call would do. Made by the holder of its connection, or the server when it has none; has no
    /// effect and uses no network and no secret.
    pub async fn preview(
        &self,
        proposal: &Proposal,
        connection: Option<&Connection>,
        now: UnixMillis,
    ) -> PreviewOutcome {
        let unavailable = |reason: &str| PreviewOutcome::Unavailable {
            reason: reason.to_owned(),
        };
        let Some(registered) = self.pinned(&proposal.tool.id, proposal.tool.manifest) else {
            return unavailable("This version of Countersign does not have that version of the tool.");
        };
        if usable(registered.tool.manifest(), connection).is_err() {
            return unavailable("The connection cannot be used.");
        }
        let call = Call {
            tenant: proposal.tenant,
            proposal: proposal.id,
            args: &proposal.args,
            config: connection.map(|connection| &connection.config),
            connection: connection.map(|connection| connection.name.as_str()),
            secret: None,
            now,
            task: executor::task_id(proposal.id),
            deadline: executor::DEADLINE,
            dispatch: Dispatch::default(),
        };
        registered.tool.preview(&call).await
    }

    /// The tool in exactly the version that a proposal pins, with what it takes to check arguments again.
    pub(crate) fn runnable(&self, id: &str, manifest: Digest) -> Option<Runnable<'_>> {
        self.pinned(id, manifest).map(Runnable)
    }

    /// Whether there is such a tool in any version.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.tools.contains_key(id)
    }

    fn pinned(&self, id: &str, manifest: Digest) -> Option<&Registered> {
        self.tools
            .get(id)
            .filter(|registered| registered.pinned.digest() == manifest)
    }
}

impl core::fmt::Debug for Registry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_set().entries(self.tools.keys()).finish()
    }
}

/// A registered tool, for the executor.
#[derive(Clone, Copy)]
pub(crate) struct Runnable<'a>(&'a Registered);

impl<'a> Runnable<'a> {
    pub(crate) fn tool(self) -> &'a dyn Tool {
        &*self.0.tool
    }

    /// # Errors
    /// When the arguments are not what ingress lets through.
    pub(crate) fn check_args(self, args: &Value, config: Option<&Value>) -> Result<(), InputError> {
        self.0.check_args(args, config)
    }
}

impl Registered {
    /// What holds of arguments from ingress on: they satisfy the schema in their normal form, fit a record, and the
    /// connection lets them through.
    fn check_args(&self, args: &Value, config: Option<&Value>) -> Result<(), InputError> {
        self.schema.check(args)?;
        let too_long = |_| InputError::whole("The input is too long.");
        if canonical::to_vec(args).map_err(too_long)?.len() > MAX_INPUT {
            return Err(InputError::whole("The input is too long."));
        }
        if self.tool.normalise(args.clone())? != *args {
            return Err(InputError::whole("The input is not in its normal form."));
        }
        config.map_or(Ok(()), |config| self.tool.check_call(args, config))
    }
}

/// The configuration of the connection that the tool would use, when tool and connection fit together.
fn usable<'a>(
    manifest: &Manifest,
    connection: Option<&'a Connection>,
) -> Result<Option<&'a Value>, IngressError> {
    match (manifest.connection, connection) {
        (None, None) => Ok(None),
        (Some(kind), None) => Err(IngressError::NeedsConnection(kind)),
        (Some(kind), Some(connection)) if connection.kind == kind && !connection.removed => {
            Ok(Some(&connection.config))
        }
        (None | Some(_), Some(_)) => Err(IngressError::WrongConnection),
    }
}

const fn kind_name(kind: ConnectionKind) -> &'static str {
    match kind {
        ConnectionKind::Smtp => "smtp",
        ConnectionKind::Http => "http",
    }
}

#[cfg(test)]
mod tests;
