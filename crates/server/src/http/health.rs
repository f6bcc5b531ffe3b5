//! `GET /api/health`: whether the server is alive, for anybody who asks.

use axum::{extract::State, http::StatusCode};
use countersign_domain::wire::{Health, HealthCheck, HealthStatus};

use crate::App;

/// 200 while it works, also when degraded; 503 when it cannot.
pub(crate) async fn liveness(State(app): State<App>) -> (StatusCode, axum::Json<Health>) {
    let report = app.probe().liveness().await;
    let status = report.status();
    let code = if status == HealthStatus::Unhealthy {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    let checks = report.checks.into_iter().map(|check| HealthCheck {
        name: check.name,
        status: check.status,
        message: check.message.unwrap_or_else(|| "It works".to_owned()),
    });
    (
        code,
        axum::Json(Health {
            status,
            version: report.version,
            checks: checks.collect(),
        }),
    )
}
