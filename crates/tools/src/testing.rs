//! Calls for the tools' own tests.

use core::time::Duration;

use countersign_domain::{
    UnixMillis,
    canonical::{self, Value},
    id::{ProposalId, TenantId},
};
use uuid::Uuid;

use crate::{Call, Dispatch, executor};

/// 2026-11-22T13:26:48Z.
pub(crate) const NOW: UnixMillis = UnixMillis(1_795_354_008_000);

/// A value from JSON text.
pub(crate) fn value(json: &str) -> Value {
    canonical::parse(json.as_bytes()).unwrap()
}

/// JSON text of a value.
pub(crate) fn text(value: &Value) -> String {
    String::from_utf8(canonical::to_vec(value).unwrap()).unwrap()
}

/// A call, as the executor would make it.
pub(crate) fn call<'a>(args: &'a Value, config: Option<&'a Value>) -> Call<'a> {
    let proposal = ProposalId::from_uuid(Uuid::from_u128(0x0192_f3a4_0000_7000_8000_0123_4567_89ab));
    Call {
        tenant: TenantId::from_uuid(Uuid::from_u128(1)),
        proposal,
        args,
        config,
        connection: Some("Office"),
        secret: None,
        now: NOW,
        task: executor::task_id(proposal),
        deadline: Duration::from_secs(5),
        dispatch: Dispatch::default(),
    }
}
