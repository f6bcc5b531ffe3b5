//! Setting up: on this computer, or with a company.

use std::path::Path;

use countersign_domain::id::TenantId;
use countersign_server::backup::Backup;
use serde::{Deserialize, Serialize};
use specta::Type;

use super::time;

#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartHere {
    pub name: String,
    pub email: Option<String>,
    /// Whether to send the sample proposals.
    pub samples: bool,
}

/// A copy of a tenant on a computer.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Copy {
    /// Names it.
    pub folder: String,
    /// Whose it is, such as "Ada on this computer".
    pub name: String,
    /// RFC 3339.
    pub made_at: String,
    /// Entries of its journal.
    pub entries: u32,
}

impl Copy {
    pub(crate) fn new(made: &Backup, folder: &Path) -> Self {
        let names: Vec<_> = made.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
        let entries: u64 = made.tenants.iter().map(|tenant| tenant.size).sum();
        Self {
            folder: folder.display().to_string(),
            name: names.join(", "),
            made_at: time(made.made_at),
            entries: u32::try_from(entries).unwrap_or(u32::MAX),
        }
    }
}

/// A fresh agent key. Shown once.
#[derive(Clone, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct FirstAgent {
    pub agent_name: String,
    pub api_key: String,
    /// A whole command line that works as it stands.
    pub curl: String,
    pub propose_url: String,
}

impl core::fmt::Debug for FirstAgent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FirstAgent")
            .field("agent_name", &self.agent_name)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectCompany {
    pub url: String,
    pub email: String,
    /// With an invite this is the new password.
    pub password: String,
    /// Joining for the first time; null to sign in.
    pub invite: Option<JoinWithInvite>,
}

impl core::fmt::Debug for ConnectCompany {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ConnectCompany")
            .field("url", &self.url)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectByProvider {
    pub url: String,
    /// Whom this device waits for; null on a device that waits for nobody.
    pub email: Option<String>,
    /// An invite's code, for who belongs to another tenant there already.
    pub code: Option<String>,
}

impl core::fmt::Debug for ConnectByProvider {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ConnectByProvider")
            .field("url", &self.url)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoinWithInvite {
    pub code: String,
    pub name: String,
}

impl core::fmt::Debug for JoinWithInvite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("JoinWithInvite")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl FirstAgent {
    pub(crate) fn new(name: String, api_key: String, address: &str, tenant: TenantId) -> Self {
        let propose_url = format!("{}/api/assistant/propose", address.trim_end_matches('/'));
        let curl = format!(
            "curl {propose_url} \\\n  -H 'Authorization: Bearer {api_key}' \\\n  -H 'x-tenant-id: {tenant}' \\\n  \
             -H 'Content-Type: application/json' \\\n  -d '{{\"text\": \"create task: Review quarterly report\"}}'"
        );
        Self {
            agent_name: name,
            api_key,
            curl,
            propose_url,
        }
    }
}
