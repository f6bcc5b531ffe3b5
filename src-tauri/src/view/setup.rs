//! Setting up: on this computer, or with a company.

use countersign_domain::id::TenantId;
use serde::{Deserialize, Serialize};
use specta::Type;

#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartHere {
    pub name: String,
    pub email: Option<String>,
    /// Whether to send the sample proposals.
    pub samples: bool,
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
