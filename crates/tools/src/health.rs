//! `assistant.system_health_check`: how the tenant server is doing.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_domain::{
    Millis,
    canonical::{Object, Value},
    id::TenantId,
    manifest::{CardField, Idempotency, Manifest, Shape},
    record::{EffectClass, PreviewOutcome, Risk},
    wire::{CheckStatus, HealthStatus},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Assessment, Call, Facts, InputError, Ran, RegistryError, Tool, schema};

/// Looks at the server's parts. The server implements it: database, disk, memory, journal.
#[async_trait]
pub trait HealthProbe: Send + Sync {
    /// Looks, as of the tenant that asks; reveals nothing of other tenants.
    async fn look(&self, tenant: TenantId) -> HealthReport;
}

/// What a look found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HealthReport {
    /// The server's version.
    pub version: String,
    /// `production`, `development`, or whatever the server was told.
    pub environment: String,
    /// Since the server started.
    pub uptime: Millis,
    pub checks: Vec<Check>,
}

/// One part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// `database`, `disk`, `memory`, `journal`.
    pub name: String,
    pub status: CheckStatus,
    pub response_time: Option<Millis>,
    /// A sentence for people.
    pub message: Option<String>,
    /// Figures; left out when the caller does not want details.
    pub details: Object,
}

impl HealthReport {
    /// The worst of the checks: any failed one is unhealthy, any warning degraded.
    pub fn status(&self) -> HealthStatus {
        let worst = self.checks.iter().map(|check| check.status).max();
        match worst {
            Some(CheckStatus::Fail) => HealthStatus::Unhealthy,
            Some(CheckStatus::Warn) => HealthStatus::Degraded,
            Some(CheckStatus::Pass) | None => HealthStatus::Healthy,
        }
    }
}

/// Stands where the tool is known but never runs: on a device.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere;

#[async_trait]
impl HealthProbe for Elsewhere {
    async fn look(&self, _tenant: TenantId) -> HealthReport {
        HealthReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: "device".to_owned(),
            uptime: Millis(0),
            checks: vec![Check {
                name: "server".to_owned(),
                status: CheckStatus::Fail,
                response_time: None,
                message: Some("Only the tenant server can look at itself.".to_owned()),
                details: Object::new(),
            }],
        }
    }
}

/// Answers how the tenant server is doing. Its output is the seed's, with a journal where the seed had Redis.
pub struct HealthCheck {
    manifest: Manifest,
    probe: Arc<dyn HealthProbe>,
}

/// A look at the server.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Input {
    /// Whether to include figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    include_details: Option<bool>,
}

impl HealthCheck {
    /// The tool over a probe.
    ///
    /// # Errors
    /// When its schema is outside the canonical profile.
    pub fn new(probe: Arc<dyn HealthProbe>) -> Result<Self, RegistryError> {
        Ok(Self {
            manifest: Manifest {
                card: vec![CardField {
                    arg: "includeDetails".to_owned(),
                    label: "With figures".to_owned(),
                    shape: Shape::Flag,
                }],
                confirm: None,
                connection: None,
                description: "Reports how the tenant server's database, disk, memory and journal are doing."
                    .to_owned(),
                effect: EffectClass::Read,
                hold: Millis(0),
                id: "assistant.system_health_check".to_owned(),
                idempotency: Idempotency::None,
                money: false,
                risk: Risk::Low,
                schema: schema::of::<Input>()?,
                sentence: "Check the health of the system".to_owned(),
                title: "System Health Check".to_owned(),
                version: "1.0.0".to_owned(),
            },
            probe,
        })
    }
}

impl core::fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("HealthCheck").finish_non_exhaustive()
    }
}

#[async_trait]
impl Tool for HealthCheck {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn normalise(&self, input: Value) -> Result<Value, InputError> {
        Ok(input)
    }

    fn assess(&self, _args: &Value, _facts: &dyn Facts) -> Assessment {
        Assessment {
            risk: Risk::Low,
            reasons: vec!["It changes nothing.".to_owned()],
        }
    }

    async fn preview(&self, _call: &Call<'_>) -> PreviewOutcome {
        let content = Object::from_iter([("Looks at", "database, disk, memory, journal")]);
        PreviewOutcome::Shown {
            content: content.into(),
        }
    }

    async fn run(&self, call: &Call<'_>) -> Ran {
        let input: Input = match schema::typed(call.args) {
            Ok(input) => input,
            Err(error) => return Ran::not_dispatched("invalid_input", error.message),
        };
        let report = self.probe.look(call.tenant).await;
        let status = match report.status() {
            HealthStatus::Healthy => "healthy",
            HealthStatus::Degraded => "degraded",
            HealthStatus::Unhealthy => "unhealthy",
        };
        let details = input.include_details.unwrap_or(true);
        let checks: Object = report
            .checks
            .into_iter()
            .map(|check| (check.name.clone(), shown(check, details)))
            .collect();
        let result = Object::from_iter([
            ("status", Value::from(status)),
            ("timestamp", Value::from(call.now.to_string())),
            ("uptime", Value::from(report.uptime.0 / 1000)),
            ("checks", Value::from(checks)),
            ("version", Value::from(report.version)),
            ("environment", Value::from(report.environment)),
        ]);
        Ran::completed(format!("The system is {status}")).with_result(result)
    }
}

fn shown(check: Check, details: bool) -> Value {
    let status = match check.status {
        CheckStatus::Pass => "pass",
        CheckStatus::Warn => "warn",
        CheckStatus::Fail => "fail",
    };
    let mut shown = Object::from_iter([("status", status)]);
    if let Some(time) = check.response_time {
        shown.insert("responseTime", time.0);
    }
    if let Some(message) = check.message {
        shown.insert("message", message);
    }
    if details && !check.details.is_empty() {
        shown.insert("details", check.details);
    }
    shown.into()
}
