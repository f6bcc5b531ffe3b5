//! Every call, by name.

use countersign_domain::{
    id::{AgentId, ConnectionId, DeviceId, InviteId, ProposalId, UserId},
    wire,
};
use reqwest::Method;

use super::{Address, CallError, TenantClient, answer, http, json, send, transport};

/// Opens a session.
pub(crate) async fn sign_in(address: &Address, form: &wire::SignIn) -> Result<wire::SignedIn, CallError> {
    let request = http()?.post(address.join("api/auth/sign-in")?);
    match send(json(request, form)?.timeout(super::TIME)).await {
        Ok(response) => answer(response).await,
        // Here 401 is the answer to the password, not to a session.
        Err(CallError::SignIn) => Err(CallError::Refused {
            status: 401,
            code: "invalid_credentials".to_owned(),
            message: "The e-mail address or the password is not right.".to_owned(),
            field: Some("password".to_owned()),
            current_status: None,
        }),
        Err(error) => Err(error),
    }
}

/// How people sign in there.
pub(crate) async fn sign_in_methods(address: &Address) -> Result<wire::SignInMethods, CallError> {
    let request = http()?.get(address.join("api/auth/methods")?);
    match send(request.timeout(super::TIME)).await {
        Ok(response) => answer(response).await,
        // A server of before there were providers.
        Err(CallError::Refused { status: 404, .. }) => Ok(wire::SignInMethods { provider: None }),
        Err(error) => Err(error),
    }
}

/// What it takes to send somebody to the company's provider.
pub(crate) async fn provider(address: &Address) -> Result<wire::ProviderInfo, CallError> {
    let request = http()?.get(address.join("api/auth/provider")?);
    answer(send(request.timeout(super::TIME)).await?).await
}

/// Opens a session with what the provider gave.
pub(crate) async fn sign_in_by_provider(
    address: &Address,
    form: &wire::ProviderSignIn,
) -> Result<wire::SignedIn, CallError> {
    let request = http()?.post(address.join("api/auth/provider/sign-in")?);
    answer(send(json(request, form)?.timeout(super::TIME)).await?).await
}

/// Joins a tenant with an invitation; signing in follows.
pub(crate) async fn accept_invite(address: &Address, form: &wire::AcceptInvite) -> Result<(), CallError> {
    let request = http()?.post(address.join("api/invites/accept")?);
    send(json(request, form)?.timeout(super::TIME)).await.map(drop)
}

/// How long a snapshot may take to come: it is large, and the line may be slow.
const SNAPSHOT_TIME: std::time::Duration = std::time::Duration::from_secs(600);

/// Something large on its way: a snapshot, or the journal as a file.
#[derive(Debug)]
pub(crate) struct Download {
    response: reqwest::Response,
    /// How many entries it says to have.
    pub(crate) size: u64,
}

impl Download {
    fn new(response: reqwest::Response) -> Result<Self, CallError> {
        let size = response.headers().get(wire::SNAPSHOT_SIZE);
        let size = size
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .ok_or_else(|| CallError::Protocol("a download without its size".to_owned()))?;
        Ok(Self { response, size })
    }

    /// The next piece; `None` at its end. One that does not come in time is an end too early.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        let piece = in_time(async { self.response.chunk().await.map_err(|error| transport(&error)) });
        Ok(piece.await?.map(Vec::from))
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    tokio::time::timeout(super::TIME, answer)
        .await
        .unwrap_or_else(|_| Err(CallError::Transport("silence".to_owned())))
}

impl TenantClient {
    pub(crate) async fn sign_out(&self) -> Result<(), CallError> {
        self.tell(Method::POST, "api/auth/sign-out").await
    }

    pub(crate) async fn challenge(&self) -> Result<wire::Challenge, CallError> {
        self.post("api/devices/challenge", &serde_json::Map::new()).await
    }

    pub(crate) async fn enrol(&self, request: &wire::EnrolRequest) -> Result<wire::Enrolled, CallError> {
        self.post("api/devices/enrol", request).await
    }

    pub(crate) async fn endorse(&self, id: DeviceId, code: String) -> Result<(), CallError> {
        let path = format!("api/devices/{id}/endorse");
        send(json(
            self.request(Method::POST, &path)?,
            &wire::EndorseRequest { code },
        )?)
        .await
        .map(drop)
    }

    pub(crate) async fn revoke_device(
        &self,
        id: DeviceId,
        request: &wire::RevokeRequest,
    ) -> Result<(), CallError> {
        let path = format!("api/devices/{id}/revoke");
        send(json(self.request(Method::POST, &path)?, request)?)
            .await
            .map(drop)
    }

    pub(crate) async fn device_review(&self, id: DeviceId) -> Result<wire::DeviceReview, CallError> {
        self.get(&format!("api/devices/{id}/review")).await
    }

    pub(crate) async fn push(&self, records: &wire::PushRecords) -> Result<wire::PushedRecords, CallError> {
        self.post("api/records", records).await
    }

    pub(crate) async fn journal(&self, after: u64, limit: u64) -> Result<wire::JournalPage, CallError> {
        self.get(&format!("api/journal?after={after}&limit={limit}"))
            .await
    }

    pub(crate) async fn head(&self) -> Result<wire::Head, CallError> {
        self.get("api/journal/checkpoint").await
    }

    /// A whole replica, compressed with zstd, piece by piece.
    pub(crate) async fn snapshot(&self) -> Result<Download, CallError> {
        Download::new(send(self.request(Method::GET, "api/snapshot")?.timeout(SNAPSHOT_TIME)).await?)
    }

    /// The journal as a file, piece by piece, for as long as pieces come.
    pub(crate) async fn export(&self, query: &str) -> Result<Download, CallError> {
        let request = self.request(Method::GET, &format!("api/journal/export?{query}"))?;
        Download::new(in_time(send(request)).await?)
    }

    pub(crate) async fn claim(&self, claim: &wire::Claim) -> Result<wire::Claimed, CallError> {
        self.post("api/executions/claim", claim).await
    }

    pub(crate) async fn begin(
        &self,
        id: ProposalId,
        record: &wire::ExecutionRecord,
    ) -> Result<wire::ExecutionAnswer, CallError> {
        self.post(&format!("api/executions/{id}/begin"), record).await
    }

    pub(crate) async fn complete(
        &self,
        id: ProposalId,
        record: &wire::ExecutionRecord,
    ) -> Result<wire::ExecutionAnswer, CallError> {
        self.post(&format!("api/executions/{id}/complete"), record).await
    }

    pub(crate) async fn confirm(
        &self,
        id: ProposalId,
        fence: &wire::ConfirmFence,
    ) -> Result<wire::Lease, CallError> {
        self.post(&format!("api/executions/{id}/confirm"), fence).await
    }

    pub(crate) async fn refuse(
        &self,
        id: ProposalId,
        refusal: &wire::RefuseLease,
    ) -> Result<wire::LeaseRefused, CallError> {
        self.post(&format!("api/executions/{id}/refuse"), refusal).await
    }

    pub(crate) async fn propose(&self, call: &wire::Propose) -> Result<wire::Proposed, CallError> {
        self.post("api/assistant/propose", call).await
    }

    pub(crate) async fn erase(&self, id: ProposalId, reason: String) -> Result<(), CallError> {
        let path = format!("api/assistant/proposals/{id}/erase");
        let request = wire::EraseRequest { reason };
        send(json(self.request(Method::POST, &path)?, &request)?)
            .await
            .map(drop)
    }

    /// The newest proposals that wait for a decision, as the tenant lists them.
    pub(crate) async fn waiting(&self, limit: u32) -> Result<Vec<wire::ProposalSummary>, CallError> {
        let path = format!("api/assistant/proposals?status=proposed&limit={limit}");
        let list: wire::ProposalList = self.get(&path).await?;
        Ok(list.proposals)
    }

    pub(crate) async fn invite(&self, request: &wire::InviteRequest) -> Result<wire::Invited, CallError> {
        self.post("api/invites", request).await
    }

    pub(crate) async fn withdraw_invite(&self, id: InviteId) -> Result<(), CallError> {
        self.tell(Method::DELETE, &format!("api/invites/{id}")).await
    }

    pub(crate) async fn change_member(
        &self,
        id: UserId,
        change: &wire::ChangeMember,
    ) -> Result<(), CallError> {
        let request = self.request(Method::PATCH, &format!("api/members/{id}"))?;
        send(json(request, change)?.timeout(super::TIME)).await.map(drop)
    }

    pub(crate) async fn remove_member(&self, id: UserId) -> Result<(), CallError> {
        self.tell(Method::DELETE, &format!("api/members/{id}")).await
    }

    pub(crate) async fn create_agent(
        &self,
        form: &wire::CreateAgent,
    ) -> Result<wire::AgentCreated, CallError> {
        self.post("api/agents", form).await
    }

    pub(crate) async fn revoke_agent(&self, id: AgentId) -> Result<(), CallError> {
        self.tell(Method::POST, &format!("api/agents/{id}/revoke")).await
    }

    pub(crate) async fn create_connection(
        &self,
        form: &wire::CreateConnection,
    ) -> Result<wire::ConnectionCreated, CallError> {
        self.post("api/connections", form).await
    }

    pub(crate) async fn remove_connection(&self, id: ConnectionId) -> Result<(), CallError> {
        self.tell(Method::DELETE, &format!("api/connections/{id}")).await
    }
}
