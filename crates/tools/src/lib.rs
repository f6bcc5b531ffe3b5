//! What Countersign can do to the world: `trait Tool`, the registry, one file per tool, and the one executor.
//!
//! - A tool's input enters through [`Registry::ingress`]: the manifest's JSON Schema, then the tool's own
//!   normalisation, then its assessment of the risk.
//! - A tool runs through [`executor::execute`] and nowhere else. A [`Call`] can only be made in this crate, so no other
//!   crate can run a tool, and a test finds that the executor is the only caller in this one.
//! - Nothing here reads a clock or draws a random number: times come from the executor's [`executor::Ledger`], keys
//!   from the proposal's id.

pub mod connection;
pub mod create_task;
pub mod email;
pub mod executor;
pub mod health;
pub mod http;

mod call;
mod redact;
mod registry;
mod schema;
mod text;

#[cfg(test)]
mod testing;

use async_trait::async_trait;
use countersign_domain::{
    Millis,
    canonical::Value,
    manifest::Manifest,
    record::{EffectClass, PreviewOutcome, Risk},
};

pub use call::{Call, Dispatch, Ran};
pub use registry::{Ingress, IngressError, MAX_INPUT, Registry, RegistryError};

/// One tool: the same code wherever its connection is held.
#[async_trait]
pub trait Tool: Send + Sync {
    /// What it is called, what it takes, what it may do, what the card shows.
    fn manifest(&self) -> &Manifest;

    /// Brings an input that satisfies the schema into its one form, and refuses what the schema cannot say. A
    /// normalised input satisfies the schema too, and normalising it again changes nothing.
    ///
    /// # Errors
    /// With the field at fault.
    fn normalise(&self, input: Value) -> Result<Value, InputError>;

    /// How bad a wrong call with these normalised arguments would be, and why: never less than the manifest's risk.
    fn assess(&self, args: &Value, facts: &dyn Facts) -> Assessment;

    /// Whether a connection's public configuration is one that the tool can use. Asked when a connection is made.
    ///
    /// # Errors
    /// With the field of the configuration at fault.
    fn check_connection(&self, _config: &Value) -> Result<(), InputError> {
        Ok(())
    }

    /// Whether the connection lets these arguments through. Asked at ingress and again right before the call.
    ///
    /// # Errors
    /// With the argument at fault.
    fn check_call(&self, _args: &Value, _config: &Value) -> Result<(), InputError> {
        Ok(())
    }

    /// What a call over this connection may do; a connection can make it milder than the manifest says.
    fn effect(&self, _config: Option<&Value>) -> EffectClass {
        self.manifest().effect
    }

    /// How long the target of this connection knows a call again by its key ([`Self::reference`]), counted from its first
    /// request: within that time it may be asked again when no answer came. Exactly the calls that have one are
    /// [`EffectClass::Idempotent`].
    fn key_window(&self, _config: &Value) -> Option<Millis> {
        None
    }

    /// Whether a call over this connection needs its secret: without it the call does not begin.
    fn needs_secret(&self, _config: &Value) -> bool {
        false
    }

    /// The key under which the target will know the call; written down before the call is made.
    fn reference(&self, _call: &Call<'_>) -> Option<String> {
        None
    }

    /// What the call would do, without doing anything: no network, no effect. Made for people before they decide and again
    /// right before the call, which does not begin when the two differ. So everything that an approval relies on and that can
    /// change belongs into it, and nothing that changes by itself.
    async fn preview(&self, call: &Call<'_>) -> PreviewOutcome;

    /// Makes the call: one request. May be dropped at any await point when its time is up, so [`Dispatch::mark`] comes right
    /// before the first byte that can have an effect. A [`EffectClass::Local`] tool only computes its effect.
    ///
    /// Only the executor calls this.
    async fn run(&self, call: &Call<'_>) -> Ran;
}

/// An input that a tool does not take.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct InputError {
    /// The field at fault, as a path from the input: `to`, `to/2`. `None` when it is the input as a whole.
    pub field: Option<String>,
    /// A sentence for people.
    pub message: String,
}

impl InputError {
    /// An error of one field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            message: message.into(),
        }
    }

    /// An error of the input as a whole.
    pub fn whole(message: impl Into<String>) -> Self {
        Self {
            field: None,
            message: message.into(),
        }
    }
}

/// The risk of one call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assessment {
    pub risk: Risk,
    /// A sentence each.
    pub reasons: Vec<String>,
}

/// What the tenant knows when a call is assessed.
pub trait Facts: Send + Sync {
    /// Whether a mail from this tenant has been accepted for this address before. The address is given in lower
    /// case; when it cannot be found out the answer is no.
    fn is_known_recipient(&self, address: &str) -> bool;
}

/// A fixed set of lower-case addresses.
impl Facts for std::collections::BTreeSet<String> {
    fn is_known_recipient(&self, address: &str) -> bool {
        self.contains(address)
    }
}

/// Knows nothing: every recipient is new.
impl Facts for () {
    fn is_known_recipient(&self, _address: &str) -> bool {
        false
    }
}
