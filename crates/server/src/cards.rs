//! The card as the server makes it, to compare with what a person says to have seen.

use countersign_domain::{
    record::Connection,
    render::{RENDERER, render},
};
use countersign_tools::Registry;

use crate::tenant::{ProposalBodies, StoreError, Tenant, Views};

/// The cards that count as this proposal's own. None when its tool or connection is no longer what it names: nobody can
/// then have seen what would run.
///
/// # Errors
/// When a stored body breaks a limit of the canonical profile.
pub fn views(registry: &Registry, tenant: &Tenant, bodies: &ProposalBodies) -> Result<Views, StoreError> {
    let people = tenant.people();
    let named = bodies.proposal.connection.as_ref();
    let connection: Option<&Connection> = named.and_then(|named| people.connections.get(&named.id));
    let Some(manifest) = registry.manifest(bodies.stored.state.manifest) else {
        return Ok(Views::new());
    };
    let digest = bodies.stored.state.digest;
    match render(
        &bodies.proposal,
        digest,
        bodies.preview.as_ref(),
        manifest,
        connection,
    ) {
        Ok(view) => Ok(vec![(
            RENDERER,
            view.digest()
                .map_err(|error| StoreError::Damaged(error.to_string()))?,
        )]),
        Err(error) => {
            tracing::debug!(proposal = %bodies.proposal.id, "No card: {error}");
            Ok(Views::new())
        }
    }
}
