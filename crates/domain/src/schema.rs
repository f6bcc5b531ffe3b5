//! JSON Schema of the types whose JSON form is written by hand, for the server's description of its API.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    Digest, UnixMillis,
    canonical::Value,
    dsse::PublicKey,
    id::{AgentId, ConnectionId, DecisionId, DeviceId, InviteId, ProposalId, TaskId, TenantId, UserId},
    record::Nonce,
};

macro_rules! texts {
    ($($name:ident: $pattern:expr;)*) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": $pattern})
            }
        }
    )*};
}

const UUID: &str = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";
const HEX_32: &str = "^[0-9a-f]{32}$";
const HEX_64: &str = "^[0-9a-f]{64}$";

texts! {
    AgentId: UUID;
    ConnectionId: UUID;
    DecisionId: UUID;
    DeviceId: UUID;
    InviteId: UUID;
    ProposalId: UUID;
    TaskId: UUID;
    TenantId: UUID;
    UserId: UUID;
    Digest: HEX_64;
    Nonce: HEX_32;
    PublicKey: HEX_64;
    UnixMillis: r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$";
}

impl JsonSchema for Value {
    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "Any JSON without fractions, with integers up to 2^53-1."})
    }
}
