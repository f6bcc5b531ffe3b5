//! What the tenant asks beyond policy's own rules.

use countersign_domain::{
    acts,
    record::Rules,
    wire::{RuleTable, RulesRequest, WantedTable},
};

use super::{auth::Caller, body::Json, error::ApiError, stop::refusal};
use crate::{random, tenant::Act};

/// `GET /api/rules`
pub(crate) async fn get(caller: Caller) -> Result<axum::Json<RuleTable>, ApiError> {
    caller.person()?;
    let people = caller.tenant.people();
    let rules = &people.rules;
    let wanted = rules.wanted.iter().map(|wanted| WantedTable {
        table: wanted.table.clone(),
        by: wanted.by.iter().copied().collect(),
        at: wanted.at,
    });
    Ok(axum::Json(RuleTable {
        digest: rules.digest,
        table: rules.table.clone(),
        wanted: wanted.collect(),
    }))
}

/// `PUT /api/rules`: at once where it loosens nothing, else once a second person sends the same.
pub(crate) async fn put(
    caller: Caller,
    Json(request): Json<RulesRequest>,
) -> Result<axum::Json<RuleTable>, ApiError> {
    let by = caller.person()?;
    if let Some(misfit) = acts::misfit(&caller.tenant.people(), &request.table) {
        return Err(ApiError::bad_request("invalid_rules", misfit).with_field("table"));
    }
    let act = Act::Rules(Rules {
        at: caller.tenant.now(),
        base: request.base,
        by,
        confirmed: false,
        device: None,
        device_seq: None,
        nonce: random::nonce(),
        previous: None,
        table: request.table,
        tenant: caller.tenant.id(),
    });
    caller.tenant.act(act).await?.map_err(refusal)?;
    get(caller).await
}
